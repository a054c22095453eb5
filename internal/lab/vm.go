package lab

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// booting bounds how many virtual machines boot at a time: an emulated processor
// takes one of ours.
const booting = 3

// prepareVMs finds or fetches what the guests boot from, before anything is built.
func (d *demo) prepareVMs(ctx context.Context) (err error) {
	if d.Guests != GuestsQEMU {
		return nil
	}
	d.step("prepare the kernel of the virtual machines (fetched the first time)")
	d.assets, err = qemuguest.Prepare(ctx, slog.New(slog.NewTextHandler(d.Out, nil)))
	return err
}

// plugVM adds a port of type tap and boots a virtual machine on it.
func (d *demo) plugVM(ctx context.Context, n *network, s seat) (*party, error) {
	port, err := d.addPort(ctx, n, s, spec.Tap)
	if err != nil {
		return nil, err
	}
	select {
	case d.boots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-d.boots }()
	g, err := qemuguest.Start(ctx, qemuguest.Config{Assets: d.assets, Name: s.name, NS: d.world.machine.NS(), Tap: port.Spec.Interface,
		MAC: port.Spec.MAC, Addresses: s.addr.list(), Gateways: n.via().addrs(),
		Kernel: []string{"ipv6.autoconf=0"}}) // it has its addresses
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.vms = append(d.vms, g)
	d.mu.Unlock()
	d.step("  %s booted in %.1fs", s.name, g.Boot().Seconds())
	a := vmAsker{g}
	if err := a.do(ctx, fmt.Sprintf("setsid nc -ll -p %d -e true >/dev/null 2>&1 &", testhost.EchoPort)); err != nil {
		return nil, err
	}
	if n.silent() { // nobody offers a gateway: by force
		mac, err := d.world.machine.MAC(n.spec.Bridge.Name)
		if err == nil {
			err = a.do(ctx, fmt.Sprintf("arp -i eth0 -s %s %s", n.via().addr(v4), mac))
		}
		if err != nil {
			return nil, err
		}
	}
	return &party{name: s.name, addr: s.addr, asker: a}, nil
}

// endVMs ends the virtual machines.
func (d *demo) endVMs() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.vms {
		g.Close() // cannot fail
	}
	d.vms = nil
}

// vmAsker asks from inside a virtual machine, with busybox.
type vmAsker struct{ *qemuguest.Guest }

// do runs a command that must succeed.
func (v vmAsker) do(ctx context.Context, command string) error {
	out, exit, err := v.Run(ctx, command)
	if err == nil && exit != 0 {
		err = fmt.Errorf("run %q in guest %s: exit code %d: %s", command, v.Name(), exit, strings.TrimSpace(out))
	}
	return err
}

// question is the script that asks by ping and by nc at once. An Echo answers a
// connection with who it sees; a virtual machine accepts it and says nothing.
const questionScript = `(n=0; while [ $n -lt %[2]d ]; do n=$((n+1)); ping -c 1 -W 1 %[1]s >/dev/null 2>&1 && echo icmp && break; done) &
said=$(nc -w %[2]d %[1]s %[3]d </dev/null 2>&1) && echo "tcp $said" || echo "not $said"
wait
`

func (v vmAsker) ask(ctx context.Context, q question) []answer {
	seconds := 2 // an emulated processor is slow
	if q.hope {
		seconds = 10
	}
	icmp := answer{proto: testhost.ICMP, Result: testhost.Result{Reason: testhost.Timeout}}
	tcp := answer{proto: testhost.TCP, Result: testhost.Result{Reason: testhost.Timeout}}
	out, _, err := v.Run(ctx, fmt.Sprintf(questionScript, q.to, seconds, testhost.EchoPort))
	if err != nil {
		icmp.Reason, icmp.Err = testhost.Failed, err.Error()
		return []answer{icmp, tcp}
	}
	for line := range strings.Lines(out) {
		word, said, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "icmp":
			icmp.Result = testhost.Result{OK: true, By: q.to}
		case "tcp":
			tcp.Result = testhost.Result{OK: true, By: q.to, Seen: firstAddr(said)}
		case "not":
			tcp.Err = said
		}
	}
	return []answer{icmp, tcp}
}

// firstAddr reads the address at the beginning of a line; none is the zero Addr.
func firstAddr(line string) netip.Addr {
	word, _, _ := strings.Cut(line, " ")
	a, _ := netip.ParseAddr(word)
	return a
}
