package kernel

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// objectsPerLink sizes the state before it is filled.
const objectsPerLink = 16

// Observe returns all links, ours and foreign, with their up state, addresses,
// routes and settings, and the limits of those that are ours. In the daemon's own
// namespace the routes are the unicast ones of the main table; in a router's they
// are all that plan knows, and the rules and the namespace itself are seen, too.
// The dumps follow one another, so what changes meanwhile may be seen half; Watch
// wakes for it.
func (k *Kernel) Observe(ctx context.Context) (plan.State, error) {
	devices, err := k.devices()
	if err != nil {
		return nil, err
	}
	v := view{ns: k.name, home: Host, state: make(plan.State, objectsPerLink*len(devices)), release: k.release}
	if k.routers() {
		v.addNamespace(devices)
	}
	v.addLinks(devices)
	observers := []func(*view) error{k.observeAddrs, k.observeRoutes, k.observeWhole, k.observeShapes}
	if k.routers() {
		observers = append(observers, k.observeRules, k.observeLowers)
	}
	for _, observe := range observers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := observe(&v); err != nil {
			return nil, err
		}
	}
	return v.state, nil
}

// view is an observation in the making.
type view struct {
	ns      string
	home    plan.Mark // of what is ours and on no link of ours
	release release
	state   plan.State
	names   map[int]string    // of links, by index
	marks   map[int]plan.Mark // of links, by index
	shaped  []int             // links of ours with a token bucket
	mtus    map[int]int       // of those
	lowers  map[string]int    // macvlans of ours, and the NICs below them
}

// addNamespace adds the namespace itself, whose owner is written on its loopback
// interface.
func (v *view) addNamespace(devices []device) {
	for _, d := range devices {
		if d.name == loopback && d.arp == unix.ARPHRD_LOOPBACK {
			v.home = ownerOf(d)
		}
	}
	v.state.Add(plan.Netns{Mark: v.home, Name: v.ns})
}

func (v *view) addLinks(devices []device) {
	v.names = make(map[int]string, len(devices))
	v.marks = make(map[int]plan.Mark, len(devices))
	v.lowers, v.mtus = map[string]int{}, map[int]int{}
	for i := range devices {
		d := &devices[i]
		v.names[d.index], v.marks[d.index] = d.name, d.mark()
	}
	for i := range devices {
		d := &devices[i]
		v.state.Add(d.link(v.ns, v.names))
		if d.flags&unix.IFF_UP != 0 {
			v.state.Add(plan.Up{Mark: d.mark(), NS: v.ns, Link: d.name})
		}
		if d.isolated {
			v.state.Add(plan.Isolation{Mark: d.mark(), NS: v.ns, Link: d.name, On: true})
		}
		if d.mark() != "" && d.qdisc == tokenBucket {
			v.shaped = append(v.shaped, d.index)
			v.mtus[d.index] = d.mtu
		}
		if d.mark() != "" && d.kind == "macvlan" {
			v.lowers[d.name] = d.lower
		}
		v.addSettings(d)
	}
}

// observeLowers names the NICs below our macvlans, which are in the daemon's
// namespace.
func (k *Kernel) observeLowers(v *view) error {
	if len(v.lowers) == 0 {
		return nil
	}
	home, err := k.peer("")
	if err != nil {
		return err
	}
	for name, index := range v.lowers {
		l, _ := v.state.Link(v.ns, name)
		if l.Lower, err = home.nameOf(index); err != nil {
			return fmt.Errorf("name the NIC below %s: %w", name, err)
		}
		v.state.Add(l)
	}
	return nil
}

// markOn is the mark of an address or route of ours on a link.
func (v *view) markOn(index int) plan.Mark {
	if m := v.marks[index]; m != "" {
		return m
	}
	return v.home
}
