"""Makes the manual page from the program's own description of its flags.

    postscale-relay --experimental-dump-help | manual.py VERSION >postscale-relay.1

This file says nothing about a flag, so nothing here can be out of date. It has only what no flag says:
signals, files, examples.
"""

import json
import sys


def escape(text):
    """Text for roff: no line begins with a control character, no hyphen becomes a dash."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c < "\x7f" else f"\\[u{ord(c):04X}]" for c in text)
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def name_of(argument):
    names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument["names"]]
    shown = ", ".join(f"\\fB{escape(name)}\\fR" for name in sorted(names, key=len))
    return shown if argument["kind"] == "flag" else f"{shown} \\fI{escape(argument['valueName'])}\\fR"


def option(argument):
    lines = [".TP", name_of(argument), escape(argument.get("abstract", ""))]
    values = argument.get("allValues")
    if values:
        lines.append("One of: " + escape(", ".join(values)) + ".")
    if argument.get("discussion"):
        lines.append(escape(argument["discussion"]))
    if argument.get("defaultValue") is not None:
        lines.append("Default: " + escape(argument["defaultValue"]) + ".")
    return lines


def options(command, heading):
    """The flags of a command, one section per title."""
    lines, titles = [], []
    shown = [entry for entry in command["arguments"] if entry["shouldDisplay"] and "names" in entry]
    for entry in shown:
        title = entry.get("sectionTitle")
        if title not in titles:
            titles.append(title)
    for title in titles:
        lines.append(f'.{heading} "{escape(title or "Other")}"')
        for entry in shown:
            if entry.get("sectionTitle") == title:
                lines += option(entry)
    return lines


def page(help, version):
    commands = {entry["commandName"]: entry for entry in help["command"]["subcommands"]}
    run = commands["run"]
    lines = [
        f'.TH POSTSCALE\\-RELAY 1 "" "postscale\\-relay {escape(version)}" "Postscale"',
        ".SH NAME", "postscale\\-relay \\- SMTP relay in front of the Postscale API",
        ".SH SYNOPSIS",
        "\\fBpostscale\\-relay\\fR [\\fBrun\\fR] [\\fIoptions\\fR]", ".br",
        "\\fBpostscale\\-relay check\\fR [\\fIoptions\\fR]", ".br",
        "\\fBpostscale\\-relay sandbox\\fR [\\fIoptions\\fR]", ".br",
        "\\fBpostscale\\-relay explain\\fR \\fIfile\\fR ...",
        ".SH DESCRIPTION"]
    for paragraph in run["discussion"].split("\n\n"):
        rows = paragraph.split("\n")
        lines.append(".PP")
        if any("   " in row for row in rows):
            lines += [".nf", escape(paragraph), ".fi"]
        else:
            lines.append(escape(paragraph))
    lines.append(".SH OPTIONS")
    lines += options(run, "SS")
    # `check` takes the flags of `run`, too; only its own are listed once more.
    known = [entry.get("names") for entry in run["arguments"]]
    check = commands["check"]
    check["arguments"] = [entry for entry in check["arguments"] if entry.get("names") not in known]
    for name in ("check", "sandbox", "explain"):
        lines += [f'.SH "COMMAND {name.upper()}"', escape(commands[name]["abstract"])]
        lines += options(commands[name], "SS")
    return "\n".join(lines) + "\n" + REST


REST = r"""
.SH SIGNALS
.TP
\fBSIGHUP\fR
Reads the settings file, certificates and ticket keys again. If something is wrong, the relay logs it and
changes nothing.
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Drains: no new connections, messages in flight get their answer, then the process ends. A second signal
ends it at once.
.SH ENVIRONMENT
The descriptions of the flags name their variables; a flag wins. From systemd:
.TP
\fBLISTEN_FDS\fR, \fBLISTEN_PID\fR, \fBLISTEN_FDNAMES\fR
Listening sockets, named \fBstarttls\fR or \fBtls\fR.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR, \fBWATCHDOG_PID\fR
Where and how often the relay reports its state.
.TP
\fBCREDENTIALS_DIRECTORY\fR
A folder with \fIfullchain.pem\fR and \fIprivkey.pem\fR; the relay uses it when no flag names a certificate.
.SH FILES
.TP
\fI/etc/postscale\-relay/relay.conf\fR
The settings of the service: one flag per line.
.TP
\fI/etc/postscale\-relay/tls\fR
Its certificate and key, \fIfullchain.pem\fR and \fIprivkey.pem\fR.
.TP
\fI/etc/default/postscale\-relay\fR
\fBPOSTSCALE_OPTIONS\fR: more flags of the service, which win over those of the file.
.SH "EXIT STATUS"
0 after a drain; 64 when the command line or the settings are wrong; 1 for any other error, such as a
certificate that cannot be read. Standard error has the reason.
.SH EXAMPLES
.TP
Try it, without an account:
.B postscale\-relay \-\-sandbox
.TP
Look at everything that the service needs:
.B postscale\\-relay check \\-\\-config /etc/postscale\\-relay/relay.conf
.TP
Check what the service would run:
.B postscale\-relay \-\-config /etc/postscale\-relay/relay.conf \-\-check\-config
.SH "SEE ALSO"
.BR systemd.socket (5),
.BR certbot (1)
"""


if __name__ == "__main__":
    sys.stdout.write(page(json.load(sys.stdin), sys.argv[1]))
