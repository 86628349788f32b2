"""Service categories and subcategories as FOCUS lists them, and which of them a service belongs to. Pure: no Django.

Lists of FOCUS 1.1 and later, columns ServiceCategory and ServiceSubcategory. A bill's own category counts where it is
one of them. Otherwise the name of the service decides (the code of an AWS report as well as the title), so that alike
services of several providers stand together; what no pattern knows is Other.
"""

import re

from costs.formats.sql import literal

# {category: its subcategories}, beside ``Other (<category>)``, which every category has.
FOCUS: dict[str, tuple[str, ...]] = {
    "AI and Machine Learning": (
        *("AI Platforms", "Bots", "Generative AI", "Machine Learning"),
        "Natural Language Processing",
    ),
    "Analytics": (
        *("Analytics Platforms", "Business Intelligence", "Data Processing", "Search"),
        "Streaming Analytics",
    ),
    "Business Applications": ("Productivity and Collaboration",),
    "Compute": ("Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines"),
    "Databases": (
        *("Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases", "Relational Databases"),
        "Time Series Databases",
    ),
    "Developer Tools": (
        *("Continuous Integration and Deployment", "Developer Platforms", "Development Environments"),
        *("Quality Assurance", "Source Code Management"),
    ),
    "Identity": ("Identity and Access Management",),
    "Integration": ("API Management", "Messaging", "Workflow Orchestration"),
    "Internet of Things": ("IoT Analytics", "IoT Platforms"),
    "Management and Governance": (
        *("Architecture", "Compliance", "Cost Management", "Data Governance", "Disaster Recovery"),
        *("Endpoint Management", "Observability", "Support"),
    ),
    "Media": ("Content Creation", "Gaming", "Media Streaming", "Mixed Reality"),
    "Migration": ("Data Migration", "Resource Migration"),
    "Mobile": (),
    "Multicloud": ("Multicloud Integration",),
    "Networking": (
        *("Application Networking", "Content Delivery", "Network Connectivity", "Network Infrastructure"),
        *("Network Routing", "Network Security"),
    ),
    "Other": (),
    "Security": ("Secret Management", "Security Posture Management", "Threat Detection and Response"),
    "Storage": ("Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms"),
    "Web": ("Application Platforms",),
}
ALLOWED = tuple(FOCUS)
# Families in the order in which they are tried, and the words of services' names that are theirs, as a regular
# expression of small letters, digits and single spaces. What is general stands after what is special: a storage gateway
# is storage before a gateway is networking. An empty subcategory is FOCUS's ``Other (<category>)``.
PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("Internet of Things", "IoT Analytics", "iot ?analytics|digital twins|time series insights|farmbeats"),
    (
        "Internet of Things",
        "IoT Platforms",
        "iot|iot ?(events|device|fleet|site|things|twin)[a-z]*|internet of things|greengrass|freertos",
    ),
    ("Storage", "Backup Storage", "backups?|recovery services|glacier|archive storage"),
    ("Storage", "Storage Platforms", "storage gateway|storsimple|hpc cache"),
    ("Storage", "Object Storage", "data lake (store|storage)"),
    (
        "Migration",
        "Data Migration",
        "(database|data|table) migration|data ?sync|data ?box|import export|data share|"
        "snow ?(ball|cone|mobile|family)|(ingestion service)?snowball( extra days)?|awstransfer|"
        "transfer (family|appliance|service)|(storage|data) transfer service|transfer for sftp",
    ),
    ("Migration", "Resource Migration", "migrat(e|ions?)|application discovery|mainframe modernization|awsm2"),
    ("Media", "Gaming", "game ?lift|game ?sparks|game (servers|services)|playfab"),
    ("Media", "Mixed Reality", "mixed reality|(spatial|object) anchors|remote rendering|sumerian"),
    ("Media", "Content Creation", "nimble( studio)?|deadline( cloud)?|thinkbox|zync"),
    (
        "Media",
        "Media Streaming",
        "elemental|media ?(connect|convert|live|package|store|tailor|services|flow|streams)|"
        "kinesis ?video|interactive video|ivs|live ?stream|trans(coder|code) api|transcoder|amazonets|"
        "video stitcher",
    ),
    (
        "Multicloud",
        "Multicloud Integration",
        "azure arc|anthos|distributed cloud|multi ?cloud|azure local|azure stack",
    ),
    (
        "Business Applications",
        "Productivity and Collaboration",
        "work ?(mail|docs|link)|chime|wickr|honeycode|(microsoft|office) 365|google workspace|g suite|"
        "microsoft teams|power (platforms?|apps|automate|pages)",
    ),
    (
        "Business Applications",
        "",
        "amazon ?connect|contact (center|centre|lens)|dynamics 365|supply chain|pinpoint|"
        "end user messaging|customer profiles|amazonses|simple email|email delivery|fusion [a-z]+|"
        "netsuite",
    ),
    (
        "Analytics",
        "Search",
        "open ?search|elastic ?search|elastic cloud|cloud ?search|kendra|amazones|bing|algolia|"
        "(ai|cognitive|custom|enterprise) search|programmable search|discovery engine",
    ),
    (
        "Analytics",
        "Business Intelligence",
        "quick ?(sight|suite)|power ?bi|looker|data studio|tableau|bi engine|analytics cloud",
    ),
    (
        "AI and Machine Learning",
        "Generative AI",
        "bedrock|openai|anthropic|claude|gemini|generative|amazon ?(q|nova)|"
        "(ai|azure|microsoft) foundry|foundry models|ai studio|partyrock|code ?whisperer",
    ),
    (
        "AI and Machine Learning",
        "Bots",
        "lex|(ai |health )?bot( service)?|dialogflow|power virtual agents|copilot studio|digital assistant",
    ),
    (
        "AI and Machine Learning",
        "Natural Language Processing",
        "comprehend|comprehend ?medical|translat(e|ion|or)|transcribe|polly|speech|text to speech|"
        "luis|natural language|ai language|language|text analytics",
    ),
    (
        "AI and Machine Learning",
        "Machine Learning",
        "sage ?maker|machine learning|rekognition|textract|personalize|amazon ?forecast|"
        "fraud detector|lookout[a-z]*|monitron|deep ?racer|augmented ai|a2i|auto ?ml|tpu|"
        "elastic inference|data (science|labeling)|deep learning|"
        "(custom |computer |cloud |ai )?vision|document (ai|intelligence)|form recognizer|"
        "video (intelligence|indexer)|recommendations ai|(anomaly|metrics) (detector|advisor)|"
        "content moderator",
    ),
    (
        "AI and Machine Learning",
        "AI Platforms",
        "cognitive( services)?|vertex|ai (services|platform|infrastructure)|azure ai|intelligent recommendations",
    ),
    (
        "Web",
        "",
        "maps|location service|(geocoding|geolocation|directions|places|roads) api|street view|"
        "fluid relay|signalr|app configuration|(cloud )?domains|registrar",
    ),
    ("Integration", "Messaging", "event ?(hubs|grid|bridge|arc)|awsevents|cloud ?watch events"),
    (
        "Analytics",
        "Streaming Analytics",
        "kinesis|firehose|flink|stream analytics|streaming( analytics)?|dataflow|managed streaming|msk|kafka",
    ),
    ("Databases", "Data Warehouses", "redshift|big ?query|snowflake|(sql )?data ?warehouse|adw"),
    (
        "Analytics",
        "Analytics Platforms",
        "athena|databricks|synapse|(data|microsoft) fabric|lake ?formation|data ?lake( analytics)?|"
        "data (explorer|zone|exchange)|data ?zone|clean ?rooms|finspace|analytics hub|health ?lake|"
        "health data services|healthcare|genomics|omics|kusto",
    ),
    (
        "Analytics",
        "Data Processing",
        "glue|data ?brew|emr|elastic ?map ?reduce|data ?pipeline|data ?proc|data ?prep|"
        "data (factory|fusion|flow|integration|catalog)|hd ?insight|datastream|big data|"
        "analysis services|goldengate",
    ),
    ("Databases", "Caching", "elasti ?cache|memory ?store|redis|memcached?|memory ?db|dax|valkey|oci cache"),
    (
        "Databases",
        "NoSQL Databases",
        "dynamo ?db|cosmos( ?db)?|doc(ument)? ?db|neptune|big ?table|fire ?store|datastore|keyspaces|"
        "mcs|mongo ?db|cassandra|nosql|simple ?db|realtime database",
    ),
    ("Databases", "Time Series Databases", "timestream|time series|influx ?db"),
    ("Databases", "Ledger Databases", "qldb|ledger|blockchain"),
    (
        "Databases",
        "Relational Databases",
        "rds|aurora|relational|spanner|alloydb|polar ?db|exadata|heatwave|db2|atp|"
        "(my|postgre|azure|cloud)? ?sql|maria ?db|postgres|base database|"
        "autonomous [a-z ]*(database|transaction processing)|oracle database",
    ),
    ("Databases", "", "databases?"),
    ("Networking", "Content Delivery", "cloud ?front|cdn|front door|content delivery"),
    (
        "Networking",
        "Network Security",
        "waf|shield|firewalls?|ddos( protection)?|cloud armor|network security|bastion|awsfms|"
        "verified access|cloud ids",
    ),
    (
        "Networking",
        "Network Connectivity",
        "vpn|transit( gateway)?|direct ?connect|express ?route|fast ?connect|nat|private ?link|"
        "private service connect|private endpoints?|interconnect|network connectivity|"
        "(cloud|virtual) ?wan|peering|private ?5g|orbital|ground ?station|dynamic routing gateway|"
        "network connect",
    ),
    (
        "Networking",
        "Application Networking",
        "load balanc(ing|ers?)|elb|slb|lbaas|app(lication)? ?mesh|service mesh|lattice|cloud ?map|"
        "service (directory|discovery)|traffic director|nginx|(api|application) ?gateway|gateway",
    ),
    (
        "Networking",
        "Network Routing",
        "route ?53|dns|traffic (manager|management)|global ?accelerator|cloud router|route",
    ),
    (
        "Networking",
        "Network Infrastructure",
        "vpc|vcn|virtual (private )?cloud|(virtual )?networks?|networking|bandwidth|data transfer|"
        "(public )?ip|ip address(es)?|eip",
    ),
    (
        "Security",
        "Secret Management",
        "kms|key management|secrets?|key vault|vault|certificates?|acm|payment cryptography|"
        "(cloud|managed|dedicated)? ?hsm",
    ),
    (
        "Security",
        "Security Posture Management",
        "security ?(hub|command|cent(er|re)|advisor)|cloud guard|defender for cloud|"
        "copilot for security|(on demand|vulnerability) scanning",
    ),
    ("Management and Governance", "Endpoint Management", "defender for endpoint|endpoint management|intune"),
    (
        "Security",
        "Threat Detection and Response",
        "guard ?duty|defender|inspector|macie|detective|threat|sentinel|advanced data security|"
        "security ?lake|fraud protection|recaptcha|web risk|chronicle|data loss prevention|"
        "sensitive data protection",
    ),
    ("Security", "", "security|binary authorization|beyondcorp"),
    (
        "Identity",
        "Identity and Access Management",
        "cognito|cognito ?sync|iam|identity|entra|active directory|directory|single sign on|sso|"
        "verified permissions|firebase auth[a-z]*|multi factor auth[a-z]*",
    ),
    (
        "Integration",
        "API Management",
        "api (management|cent(er|re)|platform)|apigee|app ?sync|cloud endpoints|microsoft graph",
    ),
    (
        "Integration",
        "Messaging",
        "sqs|sns|queues?|notifications?|pub ?sub|service bus|mq|relay|cloud tasks|communication services",
    ),
    (
        "Integration",
        "Workflow Orchestration",
        "step ?functions|(aws|amazon)states|logic apps?|workflows?|mwaa|composer|app ?flow|"
        "app ?fabric|swf|scheduler|integration (cloud|services?)|automation",
    ),
    ("Management and Governance", "Support", "support"),
    (
        "Management and Governance",
        "Disaster Recovery",
        "(site|disaster) recovery|resilience ?hub|fault injection|chaos",
    ),
    (
        "Management and Governance",
        "Observability",
        "cloud ?watch|monitor(ing)?|log(ging)? analytics|logging|x ?ray|grafana|prometheus|datadog|"
        "new relic|splunk|dynatrace|telemetry|(application |app |operations )?insights?|stackdriver|"
        "observability|cloud (trace|profiler)|dev ?ops guru|application performance",
    ),
    ("Management and Governance", "Compliance", "cloud ?trail|config|audit( ?manager)?|policy|assured workloads"),
    (
        "Management and Governance",
        "Cost Management",
        "cost (explorer|management|and usage|optimization)|costexplorer|budgets|billing ?conductor|azure reservations",
    ),
    ("Management and Governance", "Data Governance", "purview|data governance|dataplex|data safe"),
    ("Management and Governance", "Architecture", "trusted advisor|well architected|compute optimizer|azure advisor"),
    (
        "Management and Governance",
        "",
        "systems ?manager|control ?tower|cloud ?formation|service ?catalog|ops ?works|"
        "resource manager|license manager|managed services",
    ),
    ("Storage", "Object Storage", "s3|simple storage|blob|cloud storage|object storage|oss"),
    (
        "Storage",
        "File Storage",
        "efs|elastic file|fsx|file ?store|azure files|file (storage|shares?|sync|cache)|netapp|lustre|fss",
    ),
    (
        "Storage",
        "Block Storage",
        "ebs|elastic (block|san)|(managed |persistent )?disks?|hyperdisk|block (volumes?|storage)|snapshots?",
    ),
    ("Storage", "Storage Platforms", "storage"),
    (
        "Web",
        "Application Platforms",
        "app services?|app ?engine|(elastic )?beanstalk|app ?runner|spring (apps|cloud)|static web apps?|amplify",
    ),
    ("Compute", "", "savings ?plans?|batch|outposts|wavelength|local zones|sim ?space ?weaver|robo ?maker"),
    ("Compute", "Serverless Compute", "lambda|(azure )?functions?|cloud run|fargate|serverless|cloud services"),
    (
        "Compute",
        "Containers",
        "ecs|eks|ecr|ecr ?public|elastic kubernetes|kubernetes|gke|aks|oke|containers?|open ?shift",
    ),
    (
        "Compute",
        "End User Computing",
        "work ?spaces|work ?spaces ?web|virtual (desktop|app)|app ?stream|windows 365|lab services|secure desktops",
    ),
    ("Compute", "Quantum Compute", "braket|quantum"),
    ("Developer Tools", "Source Code Management", "code ?commit|source repositor(y|ies)|repos"),
    (
        "Developer Tools",
        "Quality Assurance",
        "device ?farm|(load|playwright) testing|test (lab|base|plans)|code ?guru",
    ),
    (
        "Developer Tools",
        "Development Environments",
        "cloud ?9|cloud ?shell|work ?stations|codespaces|dev box|notebooks",
    ),
    (
        "Developer Tools",
        "Continuous Integration and Deployment",
        "code ?(build|pipeline|deploy)|cloud (build|deploy)|(remote )?build( execution)?|trusted signing",
    ),
    (
        "Developer Tools",
        "Developer Platforms",
        "git ?(hub|lab)|(azure )?dev ?ops|code ?(catalyst|star)|app cent(er|re)",
    ),
    ("Developer Tools", "", "code ?artifact|artifacts?|artifact registry"),
    ("Mobile", "", "firebase|mobile( hub| analytics| engagement)?"),
    (
        "Compute",
        "Virtual Machines",
        "ec2|ec2other|elastic compute|compute|virtual machines?|lightsail|vms?|vmware|dedicated host|"
        "bare ?metal|sap on azure|operator nexus",
    ),
)
# A word begins at no letter, or behind the name of its provider (``AmazonEC2``), and ends at no letter.
_LETTERS = "a-z\u00e0-\u024f"
_BEGINS, _ENDS = f"(^|[^{_LETTERS}])(amazon|aws|azure|google|oracle)?", f"([^{_LETTERS}]|$)"
_BETWEEN_WORDS = f"[^0-9{_LETTERS}]+"
# ``StepFunctions`` are two words.
_INSIDE_A_NAME = "([a-z0-9])([A-Z])"
OTHER = "Other"
# A bill that calls a category its marketplace keeps it: budgets leave such cost out.
MARKETPLACE = "marketplace"


def other_of(category: str) -> str:
    """What FOCUS calls services of a category that none of its subcategories has."""
    return f"Other ({category})"


def family_of(service: str) -> tuple[str, str]:
    """Category and subcategory by a service's name alone."""
    as_written, apart = service.lower(), re.sub(_INSIDE_A_NAME, r"\1 \2", service).lower()
    words = "|".join(re.sub(_BETWEEN_WORDS, " ", text) for text in (as_written, apart))
    for category, subcategory, pattern in PATTERNS:
        if re.search(_as_words(pattern), words):
            return category, subcategory or other_of(category)
    return OTHER, other_of(OTHER)


def families_sql(source: str) -> str:
    """SQL for each distinct ServiceCategory, ServiceSubcategory and ServiceName of `source`, with what they mean:
    `category` and `subcategory`, null where a row names neither a category nor a service.

    Worked out once for each, and not for each row: there are few of them.
    """
    keys = "ServiceCategory, ServiceSubcategory, ServiceName"
    named = f"SELECT {keys}, {_words_sql('ServiceName')} AS words FROM (SELECT DISTINCT {keys} FROM {source})"
    by_name = f"SELECT {keys}, {_by_name_sql('words')} AS by_name FROM ({named})"
    category = f"""CASE WHEN {_counts_sql("ServiceCategory")} THEN ServiceCategory
        WHEN coalesce(ServiceName, '') <> '' THEN split_part(by_name, '/', 1) END"""
    return f"""SELECT {keys}, category, coalesce(nullif(ServiceSubcategory, ''),
            CASE WHEN split_part(by_name, '/', 1) = category THEN substr(by_name, length(category) + 2) END,
            'Other (' || category || ')') AS subcategory
        FROM (SELECT *, {category} AS category FROM ({by_name}))"""


def same_family(one: str, other: str) -> str:
    """SQL that joins rows `one` to the families `other` of `families_sql`."""
    keys = ("ServiceCategory", "ServiceSubcategory", "ServiceName")
    return " AND ".join(f"{one}.{key} IS NOT DISTINCT FROM {other}.{key}" for key in keys)


def _counts_sql(own: str) -> str:
    listed = ", ".join(map(literal, ALLOWED))
    return f"{own} IN ({listed}) OR contains(lower({own}), {literal(MARKETPLACE)})"


def _as_words(pattern: str) -> str:
    return f"{_BEGINS}({pattern}){_ENDS}"


def _words_sql(service: str) -> str:
    """SQL for the words of a service's name that `PATTERNS` are looked for in: as it is written, and taken apart."""
    name = f"coalesce({service}, '')"
    apart = f"regexp_replace({name}, {literal(_INSIDE_A_NAME)}, '\\1 \\2', 'g')"
    texts = (f"regexp_replace(lower({text}), {literal(_BETWEEN_WORDS)}, ' ', 'g')" for text in (name, apart))
    return " || '|' || ".join(texts)


def _by_name_sql(words: str) -> str:
    """SQL for ``category/subcategory``: `family_of` for DuckDB, of what `_words_sql` made."""
    cases = " ".join(
        f"WHEN regexp_matches({words}, {literal(_as_words(pattern))}) "
        f"THEN {literal(f'{category}/{subcategory or other_of(category)}')}"
        for category, subcategory, pattern in PATTERNS
    )
    return f"CASE {cases} ELSE {literal(f'{OTHER}/{other_of(OTHER)}')} END"


def billed_categories(category: str, service: str) -> tuple[tuple[str, ...], bool]:
    """Which ServiceCategory the charges of a line with this category and service may have: these values, and whether
    any other value too that FOCUS does not list (the name of the service decided).
    """
    return (category,), not category or family_of(service)[0] == category


def billed_subcategories(category: str, subcategory: str, service: str) -> tuple[str, ...]:
    """Which ServiceSubcategory the charges of a line may have, an empty one among them; none at all: any.

    Lines that were made before subcategories were kept have none.
    """
    named, default = family_of(service)
    default = default if named == category else other_of(category)
    return (subcategory, "") if subcategory == default else (subcategory,) if subcategory else ()
