package lab

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
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
	for _, port := range d.ports() {
		if err := a.do(ctx, fmt.Sprintf("setsid nc -ll -p %d -e true >/dev/null 2>&1 &", port)); err != nil {
			return nil, err
		}
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

// The scripts that ask by ping and by nc. An Echo answers a connection with who it
// sees; a virtual machine accepts it and says nothing.
const (
	pingScript = "(n=0; while [ $n -lt %[2]d ]; do n=$((n+1)); ping -c 1 -W 1 %[1]s >/dev/null 2>&1 && echo icmp && break; done) &\n"
	ncScript   = "said=$(nc -w %[2]d %[1]s %[3]d </dev/null 2>&1) && echo \"%[3]d $said\" || echo \"not %[3]d $said\"\n"
)

// ask implements asker. Busybox sends no datagrams that could be answered.
func (v vmAsker) ask(ctx context.Context, q question) (answers []answer) {
	seconds := 2 // an emulated processor is slow
	if q.hope {
		seconds = 10
	}
	var script strings.Builder
	var kinds []traffic
	for _, t := range q.kinds() {
		switch t.proto {
		case testhost.ICMP:
			fmt.Fprintf(&script, pingScript, q.to, seconds)
		case testhost.TCP:
			fmt.Fprintf(&script, ncScript, q.to, seconds, t.port)
		default:
			continue
		}
		kinds = append(kinds, t)
	}
	out, _, err := v.Run(ctx, script.String()+"wait\n")
	for _, t := range kinds {
		a := answer{proto: t.proto, Result: testhost.Result{Reason: testhost.Timeout}}
		if err != nil {
			a.Reason, a.Err = testhost.Failed, err.Error()
		} else {
			a.heard(out, t, q.to)
		}
		answers = append(answers, a)
	}
	return answers
}

// heard reads what the scripts print of one kind.
func (a *answer) heard(out string, t traffic, by netip.Addr) {
	port := strconv.Itoa(int(t.port))
	for line := range strings.Lines(out) {
		word, said, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case t.proto == testhost.ICMP && word == "icmp":
			a.Result = testhost.Result{OK: true, By: by}
		case t.proto == testhost.TCP && word == port:
			a.Result = testhost.Result{OK: true, By: by, Seen: firstAddr(said)}
		case t.proto == testhost.TCP && word == "not" && strings.HasPrefix(said, port+" "):
			a.Err = strings.TrimPrefix(said, port+" ")
		}
	}
}

// firstAddr reads the address at the beginning of a line; none is the zero Addr.
func firstAddr(line string) netip.Addr {
	word, _, _ := strings.Cut(line, " ")
	a, _ := netip.ParseAddr(word)
	return a
}
