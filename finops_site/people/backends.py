"""Who may do what, as Django asks: by role and by nothing else."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission


class RoleBackend(ModelBackend):
    """Permissions come with roles (people/roles.py): nobody holds one of her own, so no page asks for any."""

    def _get_user_permissions(self, user_obj: Any) -> Any:
        return Permission.objects.none()
