// nginx's mail proxy: terminates TLS, speaks SMTP up to the login, then passes bytes on. The same
// nginx answers its own questions about logins.

import Glibc

/// nginx with one worker.
struct NginxTarget: Target {
    private static let module = "/usr/lib/nginx/modules/ngx_mail_module.so"

    let name = "nginx"
    let summary = "nginx mail proxy: SMTP up to the login, then no parsing"
    var obstacle: String? {
        if let missing = missing(["nginx", MailSink.program]) { return missing }
        return access(NginxTarget.module, R_OK) == 0 ? nil : "nginx's mail module is not installed"
    }

    func start(_ workspace: Workspace) throws -> RunningServer {
        let sink = try MailSink.start(workspace)
        let authPort = try Workspace.freePort()
        let port = try Workspace.freePort()
        let configuration = try workspace.write(
            "nginx.conf",
            configuration(
                workspace, port: port, authPort: authPort, sinkPort: sink.port,
                folder: workspace.makeFolder("nginx")))
        let group = ControlGroup(name: name)
        let nginx = try ServerProcess(
            ["nginx", "-c", configuration, "-p", workspace.folder, "-e", "stderr"], group: group,
            log: workspace.file("nginx.log"))
        try Workspace.waitForPort(port, of: nginx)
        return RunningServer(
            port: port, caFile: workspace.certificate, measured: [nginx], helpers: [sink.process],
            group: group)
    }

    /// With the default of `smtp_client_buffer`, large messages stall for 45 ms at a time.
    private func configuration(
        _ workspace: Workspace, port: Int, authPort: Int, sinkPort: Int, folder: String
    ) -> String {
        """
        load_module \(NginxTarget.module);
        daemon off;
        worker_processes 1;
        pid \(folder)/pid;
        error_log stderr error;
        events { worker_connections \(descriptorLimit()); }
        http {
            access_log off;
            client_body_temp_path \(folder)/body;
            proxy_temp_path \(folder)/proxy;
            fastcgi_temp_path \(folder)/fastcgi;
            uwsgi_temp_path \(folder)/uwsgi;
            scgi_temp_path \(folder)/scgi;
            server {
                listen 127.0.0.1:\(authPort);
                location / {
                    add_header Auth-Status OK;
                    add_header Auth-Server 127.0.0.1;
                    add_header Auth-Port \(sinkPort);
                    return 204;
                }
            }
        }
        mail {
            server_name localhost;
            auth_http 127.0.0.1:\(authPort)/;
            smtp_auth plain login;
            smtp_capabilities "SIZE 60000000" PIPELINING 8BITMIME;
            smtp_client_buffer 64k;
            xclient off;
            timeout 300s;
            proxy_timeout 300s;
            server {
                listen 127.0.0.1:\(port) ssl backlog=4096;
                protocol smtp;
                ssl_certificate \(workspace.certificate);
                ssl_certificate_key \(workspace.key);
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
                ssl_ecdh_curve X25519;
                ssl_session_cache none;
                ssl_session_tickets off;
            }
        }

        """
    }
}
