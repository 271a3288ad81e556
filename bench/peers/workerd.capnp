using Workerd = import "/workerd/workerd.capnp";

# @FUNCTION@ and @PORT@ are filled in by harness/servers.py.
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:@PORT@", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "@FUNCTION@")],
  compatibilityDate = "2024-09-01",
);
