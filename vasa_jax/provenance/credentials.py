"""C2PA content credentials: who made this file, with what, from what. Signed offline, without a time stamp service."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from vasa_jax import files
from vasa_jax.errors import InputError
from vasa_jax.provenance import keys

try:
    import c2pa
except ImportError:  # writing then needs an explicit flag; see `require`
    c2pa = None

ASSERTION = "org.vasa_jax.generation"
"""Label of this project's own assertion, by which its videos are known."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_TYPE = "video/mp4"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What a file's manifest says. `state` is C2PA's verdict: Trusted (a known root), Valid, or Invalid."""

    state: str
    signer: str
    generation: dict[str, Any] | None
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return self.state in ("Valid", "Trusted")


class NoCredentials(Exception):
    """The file carries no C2PA manifest."""


def require() -> None:
    """Raises InputError where videos cannot be signed."""
    if c2pa is None:
        raise InputError(
            "the c2pa-python package is missing, so the video could not carry content credentials: "
            "pip install c2pa-python, or pass --nocredentials to write a video without them"
        )


def sign(path: Path, generation: dict[str, Any], key: keys.SigningKey, version: str) -> None:
    """Adds a signed manifest to an MP4, in place.

    Args:
      path: a complete .mp4.
      generation: content of this project's assertion (model hash, seed, SHA-256 of the inputs, badge ...).
      key: certificate chain and key.
      version: of this software.
    """
    require()
    software = {"name": "vasa_jax", "version": version}
    action = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": software}
    manifest = {
        "claim_generator_info": [software],
        "format": _TYPE,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": ASSERTION, "data": generation},
        ],
    }
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(key.algorithm, key.chain, key.key, None))
        with _context() as context, signer, c2pa.Builder(manifest, context) as builder, files.replacing(path) as signed:
            with path.open("rb") as source, signed.open("w+b") as target:
                builder.sign(signer, _TYPE, source, target)
    except c2pa.C2paError as error:
        raise InputError(f"{path.name}: content credentials cannot be signed ({error}); check --c2pa_cert") from None


def read(path: Path) -> Credentials:
    """Reads and checks the manifest of a file.

    Raises:
      NoCredentials: there is none.
      InputError: the package is missing, or the file's structure is broken.
    """
    require()
    try:
        with _context() as context, path.open("rb") as source, c2pa.Reader(_TYPE, source, context=context) as reader:
            found = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        if isinstance(error, c2pa.C2paError.ManifestNotFound) or "ManifestNotFound" in str(error):
            raise NoCredentials from None
        raise InputError(f"{path} cannot be checked: its structure is broken ({error})") from None
    active = found.get("manifests", {}).get(found.get("active_manifest"), {})
    own = next((a.get("data") for a in active.get("assertions", []) if a.get("label", "").startswith(ASSERTION)), None)
    failures = found.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    info = active.get("signature_info", {})
    return Credentials(
        state=state,
        signer=info.get("common_name") or info.get("issuer") or "unknown",
        generation=own,
        problems=tuple(sorted({f.get("code", "") for f in failures} - {"signingCredential.untrusted"})),
    )


def _context():
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors := keys.trust_anchors():
        settings["trust"] = {"trust_anchors": anchors}
    return c2pa.Context(c2pa.Settings.from_dict(settings))
