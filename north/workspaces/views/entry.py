"""In and out: the start page, signing in and out, one-time links, invitations."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.views import LoginView
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from north.workspaces import actions
from north.workspaces.errors import DeadLink
from north.workspaces.forms import FirstAdminForm, JoinForm, LinkForm, SignInForm
from north.workspaces.models import Invitation, SignInLink, User, Workspace
from north.workspaces.pages import posted

BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """To the one workspace of this person, else to the list of them."""
    if not request.user.is_authenticated:
        return redirect("workspaces:sign_in") if User.objects.exists() else render(request, "workspaces/nobody.html")
    slugs = Workspace.objects.filter(members=request.user).values_list("slug", flat=True)[:2]
    return redirect("threads:index", slugs[0]) if len(slugs) == 1 else redirect("workspaces:all")


class SignIn(LoginView):
    template_name = "workspaces/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_redirect_url(self) -> str:  # type: ignore[override]
        """`next`, if it is a path of ours."""
        wanted = self.request.POST.get("next", self.request.GET.get("next", ""))
        return wanted if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else ""

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("workspaces:sign_in")


def dead_link(request: HttpRequest) -> HttpResponse:
    return render(request, "workspaces/dead_link.html", status=404)


@sensitive_post_parameters()
@never_cache
def welcome(request: HttpRequest, secret: str) -> HttpResponse:
    """A one-time link: the first administrator's, or one that signs a person in. Only a POST uses it up: previews of links do not."""
    link = SignInLink.open(secret)
    if link is None or (not link.user.is_active if link.user else User.objects.exists()):
        return dead_link(request)
    form = (LinkForm if link.user else FirstAdminForm)(posted(request), user=link.user)
    if request.method == "POST" and form.is_valid():
        try:
            user = use(link, form)
        except DeadLink:
            return dead_link(request)
        login(request, user, backend=BACKEND)
        return redirect("workspaces:home")
    status = 422 if form.is_bound else 200
    return render(request, "workspaces/welcome.html", {"form": form, "person": link.user}, status=status)


def use(link: SignInLink, form: Form) -> User:
    values = form.cleaned_data
    if link.user is not None:
        return actions.use_sign_in_link(link, password=values["password"])
    return actions.make_first_admin(link, email=values["email"], name=values["name"], password=values["password"])


@sensitive_post_parameters()
@never_cache
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """For the person of its address: who has an account joins with it, who has none makes one."""
    try:
        found = actions.open_invitation(secret)
        if request.user.is_authenticated:
            return join(request, found)
        if User.objects.filter(email=found.email).exists():
            return render(request, "workspaces/invitation.html", {"invitation": found, "state": "sign in"})
        return join_as_new(request, found)
    except DeadLink:
        return dead_link(request)


def join(request: HttpRequest, found: Invitation) -> HttpResponse:
    if request.user.email != found.email:  # type: ignore[union-attr]
        return render(request, "workspaces/invitation.html", {"invitation": found, "state": "another"}, status=403)
    if request.method != "POST":
        return render(request, "workspaces/invitation.html", {"invitation": found, "state": "join"})
    membership = actions.accept(found, actor=request.user)  # type: ignore[arg-type]
    return redirect("threads:index", membership.workspace.slug)


def join_as_new(request: HttpRequest, found: Invitation) -> HttpResponse:
    form = JoinForm(posted(request), user=User(email=found.email))
    if request.method == "POST" and form.is_valid():
        membership = actions.accept_as_new(found, name=form.cleaned_data["name"], password=form.cleaned_data["password"])
        login(request, membership.user, backend=BACKEND)
        return redirect("threads:index", membership.workspace.slug)
    context = {"invitation": found, "state": "new", "form": form}
    return render(request, "workspaces/invitation.html", context, status=422 if form.is_bound else 200)
