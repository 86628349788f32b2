"""Addresses of the cost pages."""

from django.urls import path

from costs.web.views import clusters, deliveries, explorer, exports, invoices, lines, rates, sources, teams

app_name = "costs"

urlpatterns = [
    path("costs/", explorer.Explorer.as_view(), name="explorer"),
    path("costs/lines/", lines.LinesPage.as_view(), name="lines"),
    path("costs/lines/<int:pk>/", lines.LinePage.as_view(), name="line"),
    path("costs/teams/", teams.TeamsPage.as_view(), name="teams"),
    path("costs/teams/<int:pk>/", teams.TeamPage.as_view(), name="team"),
    path("kubernetes/", clusters.ClustersPage.as_view(), name="clusters"),
    path("kubernetes/load/", clusters.LoadAllocations.as_view(), name="clusters_load"),
    path("costs/invoices/", invoices.InvoicesPage.as_view(), name="invoices"),
    path("costs/invoices/add/", invoices.InvoiceFormPage.as_view(), name="invoice_add"),
    path("costs/invoices/upload/", invoices.UploadInvoices.as_view(), name="invoices_upload"),
    path("costs/invoices/template/", invoices.InvoicesTemplate.as_view(), name="invoices_template"),
    path("costs/invoices/<int:pk>/", invoices.InvoicePage.as_view(), name="invoice"),
    path("costs/invoices/<int:pk>/edit/", invoices.InvoiceFormPage.as_view(), name="invoice_edit"),
    path("costs/invoices/<int:pk>/file/", invoices.InvoiceDocument.as_view(), name="invoice_file"),
    path("rates/", rates.RatesPage.as_view(), name="rates"),
    path("rates/load/", rates.LoadRates.as_view(), name="rates_load"),
    path("sources/", sources.SourcesPage.as_view(), name="sources"),
    path("sources/add/", sources.SourcePage.as_view(), name="source_add"),
    path("sources/<int:pk>/", sources.SourcePage.as_view(), name="source"),
    path("sources/<int:pk>/synchronise/", sources.SynchroniseNow.as_view(), name="source_sync"),
    path("deliveries/", deliveries.DeliveriesPage.as_view(), name="deliveries"),
    path("deliveries/upload/", deliveries.UploadPage.as_view(), name="delivery_upload"),
    path("deliveries/exports/", exports.ExportsPage.as_view(), name="exports"),
    path("deliveries/exports/<int:pk>/", exports.ExportFile.as_view(), name="export_file"),
    path("deliveries/adjustments/", deliveries.CorrectionsPage.as_view(), name="corrections"),
    path("deliveries/<int:pk>/", deliveries.DeliveryPage.as_view(), name="delivery"),
    path("deliveries/<int:pk>/row/", deliveries.DeliveryRow.as_view(), name="delivery_row"),
    path("deliveries/<int:pk>/progress/", deliveries.DeliveryProgress.as_view(), name="delivery_progress"),
    path("deliveries/<int:pk>/rejects/", deliveries.RejectsPage.as_view(), name="delivery_rejects"),
    path("deliveries/<int:pk>/changes/", deliveries.ChangesPage.as_view(), name="delivery_changes"),
    path("deliveries/<int:pk>/conformance/", deliveries.ConformancePage.as_view(), name="delivery_conformance"),
    path(
        "deliveries/<int:pk>/conformance/<slug:rule>/",
        deliveries.ConformanceRulePage.as_view(),
        name="delivery_conformance_rule",
    ),
    path("deliveries/<int:pk>/withdraw/", deliveries.WithdrawDelivery.as_view(), name="delivery_withdraw"),
    path("deliveries/<int:pk>/decide/", deliveries.DecideDelivery.as_view(), name="delivery_decide"),
    path("deliveries/<int:pk>/retry/", deliveries.RetryDelivery.as_view(), name="delivery_retry"),
    path("deliveries/<int:pk>/files/<int:file>/", deliveries.FileDownload.as_view(), name="delivery_file"),
]
