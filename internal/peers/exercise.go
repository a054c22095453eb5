package peers

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"kvmnet/internal/qemuguest"
)

// patience is how long to wait for a client to renew or rebind, unless a test
// wants otherwise. Clients pause for a second here and there.
const patience = 20 * time.Second

// bootLimit bounds the steps in which a virtual machine may boot; a busy machine
// takes its time.
const bootLimit = qemuguest.StartTimeout

// Want is what a client must be given. Zero values are not compared.
type Want struct {
	Address netip.Addr   // exactly this one
	Prefix  netip.Prefix // or one of these
	Bits    int          // prefix length of the address
	Router  netip.Addr
	DNS     []netip.Addr
	Domain  string // also the first of the search list, where that is all there is
	MTU     int
	Time    time.Duration // lease time

	// Patience is how long to wait for a renewal or a rebinding, 0 is 20 s. What
	// a client does on the server's timers only, and those are longer, is left
	// out with a word.
	Patience time.Duration
}

// Exercise has a client take an address, renew, rebind and release it, and take
// it again; then loses power and takes it once more. Every time it must be the
// same address, with all that was wanted.
func Exercise(t *testing.T, c Client, want Want) {
	t.Helper()
	x := &exercise{t, c, want, Lease{}}
	if x.want.Patience == 0 {
		x.want.Patience = patience
	}
	x.step("take", bootLimit, c.Take)
	x.holds()
	x.step("renew", x.want.Patience, c.Renew)
	x.step("rebind", x.want.Patience, c.Rebind)
	x.holds()
	if x.release() {
		x.step("take again", bootLimit, c.Take)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	x.step("take after a power cut", bootLimit, c.Take)
	x.holds()
	if got := c.Trace().Last("NAK"); got != nil {
		t.Errorf("%s: was refused: %s", c.Name(), got)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

type exercise struct {
	t     *testing.T
	c     Client
	want  Want
	first Lease
}

// step does one thing and compares what the client then says. What the client
// cannot do is logged.
func (x *exercise) step(verb string, limit time.Duration, do func(context.Context) (Lease, error)) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), limit)
	defer cancel()
	began := time.Now()
	l, err := do(ctx)
	var later *LaterError
	switch {
	case errors.Is(err, ErrCannot) || errors.As(err, &later):
		x.t.Logf("%s: not done: %s: %v", x.c.Name(), verb, err)
		return
	case err != nil:
		x.t.Fatalf("%s: %v\nall messages: %s", verb, err, lines(x.c.Trace().Since(time.Time{})))
	}
	x.t.Logf("%s: %s: %s in %s", x.c.Name(), verb, l.Address, time.Since(began).Round(time.Millisecond))
	for _, fault := range x.want.faults(l, x.c.Silent()) {
		x.t.Errorf("%s: %s: %s", x.c.Name(), verb, fault)
	}
	if !x.first.Address.IsValid() {
		x.first = l
	} else if l.Address != x.first.Address {
		x.t.Errorf("%s: %s: got %s, had %s before", x.c.Name(), verb, l.Address, x.first.Address)
	}
}

// holds checks that the address is on the client's interface, and alone.
func (x *exercise) holds() {
	x.t.Helper()
	x.interfaceHas([]netip.Addr{x.first.Address.Addr()})
}

// release reports whether the client can.
func (x *exercise) release() bool {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.want.Patience)
	defer cancel()
	err := x.c.Release(ctx)
	switch {
	case errors.Is(err, ErrCannot):
		x.t.Logf("%s: not done: release: %v", x.c.Name(), err)
		return false
	case err != nil:
		x.t.Fatalf("release: %v", err)
	default:
		x.interfaceHas(nil)
	}
	return true
}

func (x *exercise) interfaceHas(want []netip.Addr) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.want.Patience)
	defer cancel()
	err := until(ctx, func() error {
		var have []netip.Addr
		list, err := x.c.Addresses(ctx)
		for _, p := range list {
			have = append(have, p.Addr())
		}
		if err == nil && !slices.Equal(have, want) {
			err = &unlike{"addresses of the interface", have, want}
		}
		return err
	})
	if err != nil {
		x.t.Errorf("%s: %v", x.c.Name(), err)
	}
}
