"""TLS towards sources: checked always, by the system's authorities or by what the entry names."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sources_rig import http, peer, poll, rig, run, scripted


def certificate(folder: Path, name: str, *, host: str = "127.0.0.1", days: int = 9) -> Path:
    """A device's own certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def serving(file: Path, client: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)
    return context


def becomes(word: str, tmp_path: Path, server: ssl.SSLContext, **tls) -> str:
    """Wait for a state of a source behind TLS; nothing is asked while it is down. Its reason."""
    said = []

    async def scenario():
        async with peer(scripted(http(b"1")), ssl=server) as camera:
            settings = {key: str(v) if isinstance(v, Path) else v for key, v in tls.items()}
            url = f"https://127.0.0.1:{camera.port}/"
            async with rig(tmp_path / "data", {"feed": poll(url, tls=settings)}) as hub:
                said.append(await hub.state("feed", word))
                assert bool(camera.requests) == (word == "up")

    run(scenario())
    return said[0]


def test_a_device_is_trusted_by_its_own_certificate(tmp_path):
    own = certificate(tmp_path, "camera")
    becomes("up", tmp_path, serving(own), ca=own)


def test_a_certificate_that_no_authority_knows_is_refused(tmp_path):
    assert "self-signed" in becomes("down", tmp_path, serving(certificate(tmp_path, "camera")))


def test_another_devices_certificate_is_refused(tmp_path):
    own, other = certificate(tmp_path, "camera"), certificate(tmp_path, "other")
    becomes("down", tmp_path, serving(own), ca=other)


def test_an_expired_certificate_is_refused(tmp_path):
    own = certificate(tmp_path, "camera", days=-1)
    assert "expired" in becomes("down", tmp_path, serving(own), ca=own)


def test_a_certificate_that_names_another_address_is_taken_when_it_need_not(tmp_path):
    own = certificate(tmp_path, "camera", host="10.0.0.9")
    assert "IP address mismatch" in becomes("down", tmp_path, serving(own), ca=own)
    becomes("up", tmp_path, serving(own), ca=own, check_name=False)


def test_the_hub_shows_its_own_certificate(tmp_path):
    own, hub = certificate(tmp_path, "camera"), certificate(tmp_path, "hub")
    becomes("down", tmp_path, serving(own, client=hub), ca=own)
    becomes("up", tmp_path, serving(own, client=hub), ca=own, certificate=hub)
