# The entry of the Python runtime process. It blocks in bridge.fork_server(); what follows runs in the
# children, each by its role:
#
#   runtime process --fork--> template: load the code, check, report, freeze --fork--> instance: serve
#                   --fork--> direct: load the code and serve (code that cannot be forked)
import sys

if sys.version_info < (3, 11):  # before anything that an older one could not even parse
    sys.stderr.write("Mayfly needs CPython 3.11 or newer; %s is %d.%d\n" % ((sys.executable,) + sys.version_info[:2]))
    sys.exit(1)

if sys.flags.no_site:  # without the packages of this machine, but with exit(), quit() and help()
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()

from _mayfly import runtime  # noqa: E402

runtime.main()
