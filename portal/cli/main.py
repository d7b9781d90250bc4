"""`one`: the command line of researchers and admins. Commands are in portal.cli.commands, exit codes in portal.cli.exits."""

from __future__ import annotations

from typing import Annotated

import typer

from portal.cli.commands import (
    account,
    approvals,
    cluster,
    components,
    doctor,
    maintenance,
    models,
    serve,
    shell,
    specs,
    submit,
    workloads,
)
from portal.cli.context import Cli, Commands
from portal.cli.words import Words, chosen_language

app = typer.Typer(
    name="one",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From an App spec file to a Slurm job and its model.",
)
models_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Stored models.")
components_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The component library.")
images_app = typer.Typer(rich_markup_mode=None, help="Container images.")
maintenance_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Stop hand-over to Slurm for a while.")
tokens_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Your API tokens.")


@app.callback()
def one(
    context: typer.Context,
    lang: Annotated[str | None, typer.Option("--lang", help="ko or en; default: ONE_LANG, then the locale.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Choose the language before anything is said."""
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(installed_version("avatar-one"))
        raise typer.Exit
    context.ensure_object(Cli).words = Words(chosen_language(lang))


@images_app.callback(invoke_without_command=True)
def images(context: typer.Context) -> None:
    """Container images; without a verb they are listed."""
    if context.invoked_subcommand is None:
        cluster.list_images(context)


app.command()(account.login)
app.command()(account.logout)
app.command()(specs.validate)
app.command()(specs.plan)
app.command()(submit.submit)
app.command()(submit.rerun)
app.command("list")(workloads.list_workloads)
app.command()(workloads.show)
app.command()(workloads.logs)
app.command()(workloads.cancel)
app.command()(workloads.why)
app.command()(shell.shell)
app.command("test")(approvals.start_test)
app.command()(approvals.approve)
app.command()(approvals.reject)
app.command()(cluster.queue)
app.command()(cluster.priority)
app.command()(cluster.move)
app.command()(cluster.hold)
app.command()(cluster.release)
app.command()(cluster.nodes)
app.command()(cluster.status)
app.command()(doctor.doctor)
app.command()(serve.serve)
models_app.command("list")(models.list_models)
models_app.command("show")(models.show_model)
models_app.command("download")(models.download)
components_app.command("list")(components.list_components)
components_app.command("show")(components.show_component)
components_app.command("register")(components.register)
components_app.command("version")(components.make_version)
components_app.command("deprecate")(components.deprecate)
components_app.command("restore")(components.restore)
models_app.command("alias")(models.alias)
models_app.command("aliases")(models.aliases)
models_app.command("note")(models.note)
images_app.command("list")(cluster.list_images)
images_app.command("remove")(cluster.remove_image)
maintenance_app.command("on")(maintenance.switch_on)
maintenance_app.command("off")(maintenance.switch_off)
maintenance_app.command("status")(maintenance.status)
tokens_app.command("list")(account.list_tokens)
tokens_app.command("make")(account.make_token)
tokens_app.command("revoke")(account.revoke_token)
app.add_typer(models_app, name="models")
app.add_typer(components_app, name="components")
app.add_typer(images_app, name="images")
app.add_typer(maintenance_app, name="maintenance")
app.add_typer(tokens_app, name="tokens")
