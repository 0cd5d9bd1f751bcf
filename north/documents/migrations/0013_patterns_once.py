"""The lines by which S3, WebDAV and Nextcloud were told for themselves what not to bring become patterns that every source has."""

from glob import escape

from django.db import migrations

SLASHED_AT_END = {"s3": False, "webdav": True, "nextcloud": True}
"""Whether a line was looked for in "/path/", or in "/path"."""


def join(apps, schema_editor):
    for source in apps.get_model("documents", "Source").objects.filter(connector__in=SLASHED_AT_END):
        if (lines := source.config.pop("without", None)) is None:
            continue
        patterns = [pattern for line in lines for pattern in leaving_out(line, SLASHED_AT_END[source.connector])]
        source.exclude = list(dict.fromkeys([*source.exclude, *patterns]))
        source.save(update_fields=["config", "exclude"])


def leaving_out(line, slashed_at_end):
    """Patterns that leave out what such a line did: anything in whose path it stands. One without a slash fits names alone, so such a line
    needs another for folders; one that begins with a slash may fit the top, one that ends with one the name."""
    said = escape(line)
    found = [f"*{said}*"] if "/" in line else [f"*{said}*", f"*{said}*/*"]
    if line.startswith("/"):
        found.append(said if line.endswith("/") else f"{said}*")
    if line.endswith("/") and len(line) > 1 and slashed_at_end:
        inner = said[:-1]
        bare = inner.removeprefix("/")
        found += [f"*{inner}", inner] if "/" in bare else [bare if inner != bare else f"*{inner}"]
    return found


class Migration(migrations.Migration):
    dependencies = [("documents", "0012_closing")]
    operations = [migrations.RunPython(join, migrations.RunPython.noop)]
