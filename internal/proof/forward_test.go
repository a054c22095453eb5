package proof

import (
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// published has forwards of every kind, on the host and on a router.
const published = `
bridges:
  br0: {ports: [eth1]}
networks:
  lab:
    mode: nat
    subnets:
      - {address: 10.2.0.1/24, dhcp: {hosts: {vm1: {ip: 10.2.0.5}}}}
      - {address: "fd00:2::1/64", dhcp: {hosts: {vm1: {ip: "fd00:2::5"}}}}
  other: {mode: nat, subnets: [{address: 10.3.0.1/24}, {address: "fd00:3::1/64"}]}
  red: {mode: isolated}
  blue: {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: [192.0.2.11/24, "2001:db8:2::11/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - network: red
        egress: masquerade
        subnets:
          - {address: 10.9.0.1/24, dhcp: {hosts: {vm1: {ip: 10.9.0.5}}}}
          - {address: "fd00:9::1/64", dhcp: {hosts: {vm1: {ip: "fd00:9::5"}}}}
      - {network: blue, address: [10.10.0.1/24, "fd00:10::1/64"], egress: masquerade}
forwards:
` + "%s"

// forwards are a port, a range of 60,000 that keeps its ports, and a range that is shifted,
// for TCP and UDP.
func forwards(router, network string) (text string) {
	on := ""
	if router != "" {
		on = "router: " + router + ", "
	}
	for _, proto := range []string{"tcp", "udp"} {
		for i, f := range []struct{ listen, to string }{{"808", "vm1:80"}, {"1000-60999", "vm1"}, {"62000-62009", "vm1:5000"}} {
			text += fmt.Sprintf("  %s-%s-%d: {%snetwork: %s, protocol: %s, listen: %s, to: \"%s\"}\n", network, proto, i, on, network, proto, f.listen, f.to)
		}
	}
	return text
}

// ports are an outside port of each forward.
var ports = []uint16{808, 1000, 60999, 62000, 62009}

// serveAll answers at the ports that the forwards lead to.
func serveAll(t *testing.T, h *testhost.Host) {
	nstest.Serve(t, h, 1000, 60999, 5000, 5009)
}

// TestForwardsWorkFromEverywhere asks every forward from the outside, the host, its
// loopback address, another network, and the guest's own network.
func TestForwardsWorkFromEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fmt.Sprintf(published, forwards("", "lab")+forwards("r1", "red")))
	vm := w.guest("vm1", "lab", "10.2.0.5/24", "10.2.0.1", "fd00:2::5/64", "fd00:2::1")
	mate := w.guest("vm2", "lab", "10.2.0.6/24", "10.2.0.1", "fd00:2::6/64", "fd00:2::1")
	other := w.guest("other", "other", "10.3.0.5/24", "10.3.0.1", "fd00:3::5/64", "fd00:3::1")
	red := w.guest("red", "red", "10.9.0.5/24", "10.9.0.1", "fd00:9::5/64", "fd00:9::1")
	redMate := w.guest("red2", "red", "10.9.0.6/24", "10.9.0.1", "fd00:9::6/64", "fd00:9::1")
	blue := w.guest("blue", "blue", "10.10.0.5/24", "10.10.0.1", "fd00:10::5/64", "fd00:10::1")
	serveAll(t, vm)
	serveAll(t, red)
	machine := w.Lab.Machine
	for _, calls := range []string{"0", "1"} {
		w.bridgeCalls(calls)
		var list []question
		for _, proto := range []testhost.Proto{testhost.TCP, testhost.UDP} {
			for _, port := range ports {
				add := func(from *testhost.Host, to, want string) {
					p := testhost.Probe{Proto: proto, To: addr(to), Port: port}
					if want != "yes" { // a guest has IPv6 addresses of its own making, too
						p.From = addr(want)
					}
					list = append(list, question{from, p, want})
				}
				for _, f := range []struct{ host, router, outside, gateway, loopback, other, blue, machine string }{
					{"192.0.2.2", "192.0.2.11", "192.0.2.1", "10.2.0.1", "127.0.0.1", "10.3.0.5", "10.10.0.5", "192.0.2.2"},
					{"2001:db8:2::2", "2001:db8:2::11", "2001:db8:2::1", "fd00:2::1", "::1", "fd00:3::5", "fd00:10::5", "2001:db8:2::2"},
				} {
					add(w.Outside, f.host, f.outside)
					add(machine, f.host, "yes")
					add(machine, f.gateway, "yes")
					if calls == "0" || f.loopback != "::1" {
						add(machine, f.loopback, "yes")
					}
					add(other, f.host, f.other)
					add(mate, f.host, "yes")
					if calls == "0" {
						add(vm, f.host, "yes")
					}
					add(w.Outside, f.router, f.outside)
					add(machine, f.router, f.machine)
					add(blue, f.router, f.blue)
					add(redMate, f.router, "yes")
					add(red, f.router, "yes")
				}
			}
		}
		ask(t, list)
		t.Logf("bridged frames shown to IP hooks %s: %d questions", calls, len(list))
	}
}

// bridgeCalls has bridged frames shown to the IP hooks, as Docker and Kubernetes want
// it, or not. Where they are, the kernel turns what a guest sends to its own segment
// around on the bridge, which sends no frame back where it came from, and refuses
// answers that are addressed to ::1 before the bridge has handed them up.
func (w *world) bridgeCalls(value string) {
	for _, hook := range []string{"iptables", "ip6tables"} {
		if err := w.Lab.Machine.Sysctl("net/bridge/bridge-nf-call-"+hook, value); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestForwardComesAndGoesAlone adds and removes a forward beside others: nothing but
// its own element changes, and connections through others go on.
func TestForwardComesAndGoesAlone(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf(published, forwards("", "lab"))
	w := newWorld(t, text)
	vm := w.guest("vm1", "lab", "10.2.0.5/24", "10.2.0.1", "fd00:2::5/64", "fd00:2::1")
	serveAll(t, vm)
	through, err := w.Outside.TCPStream(t.Context(), addrPort("192.0.2.2", 1000))
	if err != nil {
		t.Fatal(err)
	}
	r := w.Apply(text + "  web: {network: lab, listen: 443, to: \"vm1:443\"}\n")
	for _, op := range r.Ops {
		if !strings.Contains(op, "element forward") {
			t.Errorf("adding a forward did %q", op)
		}
	}
	added, err := w.Outside.TCPStream(t.Context(), addrPort("192.0.2.2", 443))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Delete(t.Context(), "forward", "web"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, patience, func() error { // conntrack knows it no more: its packets are strangers
		if r := added.Report(); r.LongestStall < silence && r.Broken == "" {
			return fmt.Errorf("the connection goes on: %+v", r)
		}
		return nil
	})
	added.Stop()
	if r := goesOn(t, through); r.Broken != "" || r.LongestStall > stall {
		t.Errorf("the connection through another forward: %+v", r)
	}
	ask(t, []question{{w.Outside, testhost.Probe{Proto: testhost.TCP, To: addr("192.0.2.2"), Port: 443}, "no"}})
}

// TestPortOfAProcessIsNotForwarded refuses a port that a process of the host holds.
func TestPortOfAProcessIsNotForwarded(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf(published, forwards("", "lab"))
	w := newWorld(t, text)
	var l net.Listener
	if err := w.NS.Do(func() (err error) { l, err = net.Listen("tcp4", "0.0.0.0:443"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err := w.Client.Apply(t.Context(), api.ApplyRequest{Files: []api.File{{Name: "web.yaml",
		Text: text + "  web: {network: lab, listen: 443, to: \"vm1:443\"}\n"}}})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) || !strings.Contains(err.Error(), "443") {
		t.Errorf("the error is %v", err)
	}
}

// manyOf is more than fit into one message to the kernel, 4,095.
var manyOf = flag.Int("forwards", 5000, "how many forwards a host has")

// TestRulesDoNotGrowWithForwards counts rules with one and with thousands.
func TestRulesDoNotGrowWithForwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fmt.Sprintf(published, "  one: {network: lab, listen: 443, to: \"vm1:443\"}\n"))
	before := rules(w)
	w.put(fmt.Sprintf(published, manyForwards(*manyOf)))
	if after := rules(w); after != before || before < 50 {
		t.Errorf("%d rules with few forwards, %d with %d", before, after, *manyOf)
	}
}

// manyForwards are TCP forwards from port 10000 on, to the port they listen on.
func manyForwards(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  f%d: {network: lab, listen: %d, to: \"10.2.0.5:%d\"}\n", i, 10_000+i, 1+i)
	}
	return b.String()
}

var handle = regexp.MustCompile(`# handle \d+`)

// rules counts the rules of our table, as the kernel numbers them.
func rules(w *world) int {
	text := nstest.Run(w.t, w.NS, "nft", "-a", "-t", "list", "table", "inet", "kvmnet")
	return len(handle.FindAllString(text, -1))
}
