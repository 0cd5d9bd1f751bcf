"""What people fill in. Each form names its fields: nothing else of a request reaches a row."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from north.workspaces.models import Membership, Role, User, UserManager, Workspace


class SignInForm(AuthenticationForm):
    username = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}))
    error_messages: ClassVar = {  # type: ignore[misc]
        "invalid_login": _("The e-mail address or the password is wrong."),
        "inactive": "",
    }

    def clean_username(self) -> str:
        return UserManager.normalise(self.cleaned_data["username"])


class NewPassword(forms.Form):
    """A password for `user`, twice."""

    password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=256,
        help_text=_("At least 10 characters; not your name, and nothing that everybody uses."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label=_("The same again"), strip=False, max_length=256, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *arguments: Any, user: User | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.user = user or User()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        password = values.get("password", "")
        if password and password != values.get("repeated", ""):
            self.add_error("repeated", _("The two passwords are not the same."))
        elif password:
            self.check_strength(password)
        return values

    def check_strength(self, password: str) -> None:
        self.user.name = self.cleaned_data.get("name", self.user.name)
        self.user.email = self.cleaned_data.get("email", self.user.email)
        try:
            password_validation.validate_password(password, self.user)
        except ValidationError as error:
            self.add_error("password", error)


class JoinForm(NewPassword):
    """A new person's account, where the e-mail address is known."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}))
    field_order: ClassVar = ["name", "password", "repeated"]  # type: ignore[misc]


class FirstAdminForm(JoinForm):
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    field_order: ClassVar = ["name", "email", "password", "repeated"]  # type: ignore[misc]

    def clean_email(self) -> str:
        return UserManager.normalise(self.cleaned_data["email"])


class LinkForm(NewPassword):
    """Signing in by a link: a password may be chosen with it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.user = User(email=self.user.email, name=self.user.name, password=self.user.password)
        self.fields["password"].required = self.fields["repeated"].required = False
        if self.user.has_usable_password():
            self.fields["password"].help_text = _("Leave it empty to keep the one you have.")
        else:
            self.fields["password"].help_text = _("Leave it empty to choose one later, on your account page.")


class ChangePasswordForm(NewPassword):
    current = forms.CharField(
        label=_("Current password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    field_order: ClassVar = ["current", "password", "repeated"]  # type: ignore[misc]

    def __init__(self, *arguments: Any, user: User, **options: Any) -> None:
        super().__init__(*arguments, user=user, **options)
        if not user.has_usable_password():
            del self.fields["current"]

    def clean_current(self) -> str:
        current = self.cleaned_data["current"]
        if not self.user.check_password(current):
            raise ValidationError(_("This is not your current password."))
        return current


class NameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)


class GroupForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.TypedChoiceField(label=_("Role"), choices=Role.choices, coerce=Role, initial=Role.READER)


class RoleForm(forms.Form):
    role = forms.TypedChoiceField(label=_("Role"), choices=Role.choices, coerce=Role)


class SettingsForm(forms.ModelForm):
    class Meta:
        model = Workspace
        fields: ClassVar = ["name", "grounded", "removes_unsupported", "uploads_for_all"]
        labels: ClassVar = {
            "grounded": _("Answer only from documents"),
            "removes_unsupported": _("Take out sentences that rest on no source"),
            "uploads_for_all": _("Uploads are for all members"),
        }
        help_texts: ClassVar = {
            "grounded": _("Every question is searched for first, and what the documents do not hold is not answered."),
            "removes_unsupported": _("Without this they stay, marked. The model is asked once to mend them first."),
            "uploads_for_all": _("Unless groups are chosen. Without this, whoever uploads must say who may see it."),
        }


class GroupMembersForm(forms.Form):
    """Members are chosen by user; only members of the group's workspace can be."""

    members = forms.ModelMultipleChoiceField(Membership.objects.none(), to_field_name="user_id", required=False)

    def __init__(self, *arguments: Any, workspace: Workspace, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["members"].queryset = workspace.memberships.select_related("user")  # type: ignore[attr-defined]
