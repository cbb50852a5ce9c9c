"""`kerasft verify`."""

from __future__ import annotations

import click

from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.startup import working
from kerasft.formatting import counted


@click.command("verify", cls=SharedOptions)
@click.argument("folder", metavar="DIR")
def verify_command(folder: str) -> None:
    """Verify an exported model: the checksums of its files, and its proof again.

    DIR is the folder of a version, or of a model, of which the highest version is verified; or the
    .onnx or .tflite file of a version. Exit codes: 5 if a file has changed, 4 if its answers differ
    from those of its export: Python's, or of a quantized graph its own.
    """
    from kerasft.serving.find import need_export

    need_export(folder)  # a typing error is reported before Keras is imported
    with working():
        import kerasft

        found = kerasft.verify(folder)
    if wants("json"):
        print_json({"path": folder, **found})
    elif wants("quiet"):
        click.echo(f"{found['largest_difference']:.6g}")
    else:
        proof = (
            f"{counted(found['examples'], 'example')} answered as at the export, largest "
            f"difference {found['largest_difference']:.1e}"
        )
        print_facts({"verified": folder, "files": found["files"], "proof": proof})
