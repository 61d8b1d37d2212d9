-- Prosody as it is compared with: no shapers, the modules that ejabberd.yml has.
-- Words between @ are filled in by servers.py.
pidfile = "@DIRECTORY@/prosody.pid"
data_path = "@DIRECTORY@/data"
run_as_root = true
log = { warn = "@DIRECTORY@/prosody.log" }
interfaces = { "127.0.0.1" }
c2s_ports = { @STARTTLS@ }
c2s_direct_tls_ports = { @TLS@ }
s2s_ports = {}
http_ports = {}
https_ports = {}
ssl = { certificate = "@DIRECTORY@/certificate.pem"; key = "@DIRECTORY@/key.pem" }
c2s_direct_tls_ssl = ssl
c2s_require_encryption = false
authentication = "internal_hashed"
default_iteration_count = 4096
storage = "internal"
@TUNING@
modules_enabled = {
  "blocklist"; "carbons"; "csi_simple"; "disco"; "offline"; "pep"; "ping"; "private"; "roster";
  "saslauth"; "smacks"; "tls"; "vcard4"; "vcard_legacy"; @ARCHIVE@
}
modules_disabled = { "s2s" }
VirtualHost "localhost"
Component "conference.localhost" "muc"
