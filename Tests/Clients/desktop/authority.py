"""A certificate authority, like a company's own, and a server's certificate that it has signed."""

import subprocess

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_DAYS = ["-days", "2"]


def make(folder, name="localhost"):
    """(the authority's certificate, the server's, the server's key): paths in `folder`."""
    paths = {file: folder / f"{file}.pem" for file in ("ca", "ca-key", "request", "server", "key")}
    _openssl(
        ["req", "-x509", *_CURVE, *_DAYS, "-subj", "/CN=Authority of the tests"]
        + ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"]
        + ["-keyout", paths["ca-key"], "-out", paths["ca"]]
    )
    _openssl(
        ["req", *_CURVE, "-subj", f"/CN={name}"]
        + ["-keyout", paths["key"], "-out", paths["request"]]
    )
    (folder / "extensions").write_text(
        f"subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
    )
    _openssl(
        ["x509", "-req", "-in", paths["request"], "-CA", paths["ca"], "-CAkey", paths["ca-key"]]
        + [*_DAYS, "-set_serial", "2", "-extfile", folder / "extensions", "-out", paths["server"]]
    )
    return paths["ca"], paths["server"], paths["key"]


def _openssl(arguments):
    command = ["openssl", *[str(argument) for argument in arguments]]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
