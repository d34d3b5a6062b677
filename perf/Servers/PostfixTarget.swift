// Postfix as a submission server with Dovecot for logins: a whole mail server, which writes each
// message to a queue and relays it to the sink.

import Glibc

/// postfix and dovecot, in folders of their own; the machine's own configuration stays as it is.
struct PostfixTarget: Target {
    let name = "postfix"
    let summary = "Postfix submission, Dovecot SASL, queue, relaying to smtp-sink"
    let shareOfMessages = 0.2

    private static let daemons = ["/usr/lib/postfix/sbin", "/usr/libexec/postfix"]

    var obstacle: String? {
        if let missing = missing(["postfix", "dovecot", MailSink.program]) { return missing }
        return getuid() == 0 ? nil : "postfix needs root"
    }

    func start(_ workspace: Workspace) throws -> RunningServer {
        let sink = try MailSink.start(workspace)
        let port = try Workspace.freePort()
        let folder = try workspace.makeFolder("postfix")
        try workspace.write("postfix/main.cf", mainConfiguration(workspace, sink.port))
        try workspace.write("postfix/master.cf", services(port))
        _ = try workspace.makeFolder("postfix-queue")
        _ = try workspace.makeFolder("postfix-data", owner: "postfix")
        let logins = try workspace.write("dovecot.conf", loginConfiguration(workspace))
        let group = ControlGroup(name: name)
        let dovecot = try ServerProcess(
            ["dovecot", "-F", "-c", logins], group: group, log: workspace.file("dovecot.log"))
        let postfix = try ServerProcess(
            ["postfix", "-c", folder, "start-fg"], group: group,
            log: workspace.file("postfix.log"))
        try Workspace.waitForPort(port, of: postfix)
        return RunningServer(
            port: port, caFile: workspace.certificate, settles: true,
            measured: [postfix, dovecot], helpers: [sink.process], group: group)
    }

    private func mainConfiguration(_ workspace: Workspace, _ sinkPort: Int) -> String {
        let daemons = PostfixTarget.daemons.first { access($0, X_OK) == 0 } ?? ""
        return """
            compatibility_level = 3.6
            command_directory = /usr/sbin
            daemon_directory = \(daemons)
            queue_directory = \(workspace.file("postfix-queue"))
            data_directory = \(workspace.file("postfix-data"))
            maillog_file = \(workspace.file("mail.log"))
            maillog_file_prefixes = \(workspace.folder)
            mail_owner = postfix
            setgid_group = postdrop
            default_process_limit = 400
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            myhostname = localhost
            mydestination =
            alias_maps =
            local_recipient_maps =
            relayhost = [127.0.0.1]:\(sinkPort)
            smtp_tls_security_level = none
            smtp_host_lookup = native
            default_destination_concurrency_limit = 50
            message_size_limit = 60000000
            mailbox_size_limit = 0
            smtpd_timeout = 300s
            smtpd_client_connection_count_limit = 0
            smtpd_tls_cert_file = \(workspace.certificate)
            smtpd_tls_key_file = \(workspace.key)
            smtpd_tls_security_level = encrypt
            smtpd_tls_wrappermode = yes
            tls_ssl_options = NO_TICKET
            smtpd_sasl_auth_enable = yes
            smtpd_sasl_type = dovecot
            smtpd_sasl_path = \(workspace.file("dovecot/auth"))
            smtpd_relay_restrictions = permit_sasl_authenticated, reject

            """
    }

    private func services(_ port: Int) -> String {
        """
        127.0.0.1:\(port) inet n - n - - smtpd
        pickup unix n - n 60 1 pickup
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        tlsmgr unix - - n 1000? 1 tlsmgr
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        verify unix - - n - 1 verify
        flush unix n - n 1000? 0 flush
        proxymap unix - - n - - proxymap
        proxywrite unix - - n - 1 proxymap
        smtp unix - - n - - smtp
        relay unix - - n - - smtp
        showq unix n - n - - showq
        error unix - - n - - error
        retry unix - - n - - error
        discard unix - - n - - discard
        anvil unix - - n - 1 anvil
        scache unix - - n - 1 scache
        postlog unix-dgram n - n - 1 postlogd

        """
    }

    /// Accepts every login; only the cost of the question matters.
    private func loginConfiguration(_ workspace: Workspace) throws -> String {
        let folder = try workspace.makeFolder("dovecot")
        return """
            protocols =
            log_path = /dev/stderr
            base_dir = \(folder)
            state_dir = \(folder)
            ssl = no
            disable_plaintext_auth = no
            auth_mechanisms = plain login
            passdb {
              driver = static
              args = nopassword=y
            }
            userdb {
              driver = static
              args = uid=nobody gid=nogroup home=/
            }
            service auth {
              unix_listener \(folder)/auth {
                mode = 0660
                user = postfix
                group = postfix
              }
            }

            """
    }
}
