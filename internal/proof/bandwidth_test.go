package proof

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// TestBandwidthIsLimitedInBothDirections sends a megabyte over an interface that takes
// eight megabits a second. A slow machine makes that take longer, never shorter; what
// the bucket lets pass at once is far less than half of it.
func TestBandwidthIsLimitedInBothDirections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
bridges: {br0: {ports: [eth1]}}
networks:
  red: {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: 192.0.2.11/24, gateway: 192.0.2.1}
    interfaces:
      - {network: red, address: 10.9.0.1/24, egress: route, bandwidth: {in: 8mbit, out: 8mbit}}
`)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	if err := w.Outside.AddRoute(netip.MustParsePrefix("10.9.0.0/24"), addr("192.0.2.11")); err != nil {
		t.Fatal(err)
	}
	const megabyte, least = 1 << 20, 500 * time.Millisecond
	for name, way := range map[string]struct {
		from, to *testhost.Host
		address  netip.Addr
	}{"out": {red, w.Outside, nstest.Outside4}, "in": {w.Outside, red, addr("10.9.0.5")}} {
		if took := transfer(t, way.from.NS(), way.to.NS(), way.address, megabyte); took < least {
			t.Errorf("%s: a megabyte took %s", name, took)
		} else {
			t.Logf("%s: a megabyte took %s", name, took)
		}
	}
}

// transfer sends bytes from one namespace to another and waits until they are there.
func transfer(t *testing.T, from, to *netns.NS, address netip.Addr, bytes int64) time.Duration {
	t.Helper()
	var l net.Listener
	if err := to.Do(func() (err error) { l, err = net.Listen("tcp", ":0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- 0
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	var c net.Conn
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	if err := from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", netip.AddrPortFrom(address, port).String(), patience)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := c.Write(make([]byte, bytes)); err != nil {
		t.Error(err)
	}
	c.Close()
	if n := <-got; n != bytes {
		t.Errorf("%d of %d bytes arrived", n, bytes)
	}
	return time.Since(begin)
}
