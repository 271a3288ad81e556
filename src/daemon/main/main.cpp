#include "cli/cli.h"
#include "daemon/daemon.h"

int main(int argc, char** argv) { return mayfly::cli::cli_main(argc, argv, mayfly::daemon::serve); }
