package dns

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/testhost"
)

// world is a machine with the bridge lab0, on which a server answers, and a
// guest.
type world struct {
	machine, guest *testhost.Host
	bridge         int
	s              *Server
}

// newWorld serves a plan; o needs no namespace and no Local.
func newWorld(t testing.TB, c *plan.DNS, o Options) *world {
	t.Helper()
	w := &world{machine: nstest.Host(t, "machine"), guest: nstest.Host(t, "guest")}
	must(t, w.machine.Bridge("lab0"))
	nstest.Join(t, w.guest, w.machine, "lab0", prefix("192.168.100.20/24"), prefix("fd00:100::20/64"))
	must(t, w.machine.AddAddress("lab0", prefix("192.168.100.1/24"), prefix("fd00:100::1/64")))
	link, err := w.machine.Netlink().LinkByName("lab0")
	must(t, err)
	w.bridge = link.Attrs().Index
	o.NS, o.Local, o.Private = w.machine.NS(), isLabGateway, labPrivate
	w.s = New(o)
	t.Cleanup(w.s.Close)
	if c != nil {
		must(t, w.s.Set(c, w.bridge))
	}
	return w
}

func isLabGateway(a netip.Addr) bool { return a == addr("192.168.100.1") || a == addr("fd00:100::1") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ample is for machines that do many things at once.
const ample = 10 * time.Second

// need skips a test where a tool is missing.
func need(t testing.TB, tool, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("needs %s: apt install %s", tool, pkg)
	}
}

// dig runs dig on a host and returns what it prints.
func dig(t testing.TB, h *testhost.Host, args ...string) string {
	t.Helper()
	return strings.TrimSpace(nstest.Run(t, h.NS(), "dig", append([]string{"+time=5", "+tries=2"}, args...)...))
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}
