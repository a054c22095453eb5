package testhost_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// Not parallel: everything that is open or runs counts.
func TestCloseLeavesNoGoroutineAndNoDescriptor(t *testing.T) {
	use := func() {
		w := newWorld(t)
		for _, to := range both {
			for _, proto := range all {
				expect(t, w.client, testhost.Probe{Proto: proto, To: to}, "")
				w.client.Probe(t.Context(), testhost.Probe{Proto: proto, To: to, Port: 9})
			}
			_, err := w.client.PingStream(t.Context(), to, time.Millisecond)
			must(t, err)
			_, err = w.client.TCPStream(t.Context(), netip.AddrPortFrom(to, testhost.EchoPort))
			must(t, err)
		}
		_, err := w.client.Capture(t.Context(), "eth0", nil)
		must(t, err)
		must(t, w.client.Spoof(t.Context(), "eth0", testhost.Packet{Proto: testhost.UDP, Src: client4, Dst: server4}))
		must(t, w.client.Command(t.Context(), "sleep", "600").Start())
		for _, h := range []*testhost.Host{w.client, w.server, w.router} {
			must(t, h.Close())
		}
	}
	use() // opens what stays open, such as the poller
	before := goleak.IgnoreCurrent()
	fds := openFiles(t)
	use()
	nstest.Eventually(t, 5*time.Second, func() error {
		runtime.GC() // the pipes that the standard library splices through go with it
		if now := openFiles(t); now > fds {
			return fmt.Errorf("%d descriptors, want %d", now, fds)
		}
		return goleak.Find(before)
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}
