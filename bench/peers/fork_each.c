/* The least that a fork for every request costs: one process for each connection, which forks one for each
 * request; that one answers and ends. Usage: fork_each PORT. Of HTTP it knows that a request ends with an
 * empty line. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char answer[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 6\r\n\r\nhello\n";

static void serve(int connection) {
  char request[65536];
  size_t size = 0;
  for (;;) {
    const ssize_t got = read(connection, request + size, sizeof request - 1 - size);
    if (got <= 0) _exit(0);
    size += (size_t)got;
    request[size] = 0;
    if (strstr(request, "\r\n\r\n") == NULL) continue;
    size = 0;
    const pid_t child = fork();
    if (child == 0) {
      if (write(connection, answer, sizeof answer - 1) < 0) _exit(1);
      _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) _exit(1);
  }
}

int main(int argc, char** argv) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(argc > 1 ? argv[1] : "0"));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 128) != 0) return 1;
  signal(SIGCHLD, SIG_DFL);
  for (;;) {
    const int connection = accept(listener, NULL, NULL);
    if (connection < 0) continue;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(listener);
      serve(connection);
    }
    close(connection);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
}
