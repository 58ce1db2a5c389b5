"""The signing chain: made once per installation, private, or given by the user.

A root certificate and a leaf signed by it, both ECDSA P-256. The root's private key is thrown away once the leaf is
signed, so that the leaf key is the only secret an installation holds.
"""

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vasa_jax.errors import InputError, UsageError
from vasa_jax.paths import PathLike, check_file, user_folder

_DAYS = 3650
_CHAIN, _KEY, _ROOT = "chain.pem", "key.pem", "root.pem"


@dataclasses.dataclass(frozen=True)
class SigningKey:
    """A certificate chain (PEM, leaf first), the leaf's private key (PEM, PKCS8) and C2PA's name of the algorithm.

    `kept` is False for a key that is forgotten with this process, because there was nowhere to keep it.
    """

    chain: bytes
    key: bytes = dataclasses.field(repr=False)
    algorithm: str
    kept: bool = True

    @property
    def key_id(self) -> int:
        """32 bits that name the key in a watermark: the first of the SHA-256 of its public part."""
        return _key_id(self.chain)


def folder() -> Path | None:
    """Where this installation keeps its keys: $VASA_KEYS, or ~/.config/vasa_jax/keys; None without a home folder."""
    if given := os.environ.get("VASA_KEYS"):
        return Path(given)
    base = user_folder("XDG_CONFIG_HOME", ".config")
    return None if base is None else base / "vasa_jax" / "keys"


def signing_key(certificate: PathLike | None = None, key: PathLike | None = None) -> SigningKey:
    """The user's chain and key if given (both or neither), else this installation's, made at the first call.

    Where there is no home folder, or none that can be written, a key is made for this process and not `kept`.
    """
    if (certificate is None) != (key is None):
        raise UsageError("--c2pa_cert and --c2pa_key belong together: give both, or neither")
    if certificate is not None and key is not None:
        return _load(check_file(certificate, "a PEM certificate chain"), check_file(key, "a PEM private key"))
    home = folder()
    if home is None:
        return _passing()
    try:
        if not (home / _CHAIN).is_file():
            _make(home)
    except InputError:
        if os.environ.get("VASA_KEYS"):  # a place that was asked for
            raise
        return _passing()
    return _load(home / _CHAIN, home / _KEY)


@functools.cache
def _passing() -> SigningKey:
    """A key of this process, that nobody keeps."""
    root, leaf, key = _chain()
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SigningKey(leaf.public_bytes(pem) + root.public_bytes(pem), secret, "es256", kept=False)


def trust_anchors() -> str:
    """The root of this installation as PEM, or nothing where no key was made yet."""
    home = folder()
    with contextlib.suppress(OSError):
        return (home / _ROOT).read_text() if home is not None else ""
    return ""


def own_key_id() -> int | None:
    """`SigningKey.key_id` of this installation; None where no key was made yet, or it cannot be read."""
    home = folder()
    with contextlib.suppress(OSError, ValueError):
        return _key_id((home / _CHAIN).read_bytes()) if home is not None else None
    return None


def _key_id(chain: bytes) -> int:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = x509.load_pem_x509_certificates(chain)[0].public_key().public_bytes(serialization.Encoding.DER, form)
    return int.from_bytes(hashlib.sha256(public).digest()[:4], "big")


def _load(certificate: Path, key: Path) -> SigningKey:
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (ValueError, OSError):
        raise InputError(
            f"{certificate} is not a PEM certificate chain: put the leaf first, then its issuers"
        ) from None
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, OSError):
        raise InputError(f"{key} is not an unencrypted PEM private key") from None
    if private.public_key() != chain[0].public_key():
        raise InputError(f"{key} does not belong to the first certificate of {certificate}")
    if chain[0].not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise InputError(f"{certificate} expired on {chain[0].not_valid_after_utc:%Y-%m-%d}: remove it or give another")
    encoding = serialization.Encoding.PEM
    pem = private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SigningKey(b"".join(c.public_bytes(encoding) for c in chain), pem, _algorithm(private, key))


def _algorithm(private, path: Path) -> str:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        name = {256: "es256", 384: "es384", 521: "es512"}.get(private.curve.key_size)
        if name:
            return name
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise InputError(f"{path}: content credentials need a P-256, P-384, P-521, Ed25519 or RSA key")


def _make(home: Path) -> None:
    """Makes the chain in a folder beside `home` and moves it there whole, so that two first runs cannot mix keys."""
    temporary = None
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=home.parent, prefix=".keys."))  # mode 0700
        root_certificate, leaf_certificate, leaf_key = _chain()
        pem = serialization.Encoding.PEM
        root, leaf = root_certificate.public_bytes(pem), leaf_certificate.public_bytes(pem)
        secret = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for name, content in ((_CHAIN, leaf + root), (_ROOT, root), (_KEY, secret)):
            handle = os.open(temporary / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        with contextlib.suppress(OSError):
            home.rmdir()  # an empty folder may be in the way
        try:
            os.rename(temporary, home)
        except OSError:
            if not (home / _CHAIN).is_file():  # else another process was first, and its keys serve
                raise
    except OSError as error:
        raise InputError(
            f"{home}: the signing key cannot be stored ({error.strerror}); set VASA_KEYS to a folder"
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _chain() -> tuple[x509.Certificate, x509.Certificate, ec.EllipticCurvePrivateKey]:
    now = datetime.datetime.now(datetime.UTC)
    mark = secrets.token_hex(4)
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name("vasa_jax local root", mark)
    usage = dict.fromkeys(
        ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
        + ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"],
        False,
    )

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=_DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )

    root = (
        builder(root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**(usage | {"key_cert_sign": True, "crl_sign": True})), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        builder(_name("vasa_jax installation", mark), leaf_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**(usage | {"digital_signature": True})), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return root, leaf, leaf_key


def _name(common: str, mark: str) -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, "vasa_jax"), (NameOID.COMMON_NAME, f"{common} {mark}")]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
