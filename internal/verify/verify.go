package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Check is one promise about a network, and what packets say of it.
type Check struct {
	Network  string
	Promise  string // what was tried: "guest → outside 192.0.2.1 (icmp)"
	Expected string
	Seen     string // begins with "not checked:" when this host cannot prove it
	OK       bool
}

// Options tell what to prove.
type Options struct {
	NS       *netns.NS                // required: where the networks run
	Running  map[string]*spec.Network // required: every network that runs
	Only     []string                 // names to prove; none = all
	Outside  string                   // address outside to probe; "" = the uplinks' gateways
	Held     map[netip.Addr]bool      // addresses that guests hold by lease, whether they answer or not
	Uplinks4 []string                 // interfaces with an IPv4 default route
	Uplinks6 []string                 // interfaces with an IPv6 default route

	Routers   map[string]*spec.Router                // that are in force, with the names that spec.Default gives
	Namespace func(router string) (*netns.NS, error) // opens a router's namespace, for verify to close
	Policies  map[string]*spec.Policy                // that are in force
	Sets      map[string]*spec.AddressSet            // for policies
	Forwards  map[string]*spec.Forward               // that are in force
	Guests    map[string]map[string][]netip.Addr     // network → host name, lower case → addresses, for forwards
}

// atOnce is how many networks are proved at the same time; most of the time
// each of them waits for packets that must not come.
const atOnce = 4

// Run proves the promises and reports each check as soon as it is decided and
// those before it are: by name of the network, then in the order of the mode
// table. report is called from one goroutine. The error tells of what kept it
// from checking, not of broken promises.
func Run(ctx context.Context, o Options, report func(Check)) error {
	names, err := selected(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := begin(ctx, o, names)
	if err != nil {
		return err
	}
	lists := make([]chan []promised, len(names))
	for i := range lists {
		lists[i] = make(chan []promised, 1)
	}
	var work sync.WaitGroup
	work.Go(func() { r.dispatch(ctx, names, lists) })
	for _, list := range lists {
		for _, p := range <-list {
			if c, decided := <-p; decided {
				report(c)
			}
		}
	}
	work.Wait()
	return errors.Join(context.Cause(ctx), r.end())
}

// promised is a check to come; it is closed without one when the context ends
// first.
type promised <-chan Check

// dispatch proves the networks in order, a few at a time, and returns when all
// are done. Every list gets its promises or is closed.
func (r *run) dispatch(ctx context.Context, names []string, lists []chan []promised) {
	slots := make(chan struct{}, atOnce)
	var work sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			defer close(lists[i])
			r.prove(ctx, name, lists[i])
		})
	}
	work.Wait()
}

// prove opens the sites that a network's promises need and tries them all at the
// same time.
func (r *run) prove(ctx context.Context, name string, list chan<- []promised) {
	defer r.release(append(r.others[name], name)...)
	s, others := r.open(ctx, name)
	if s == nil || ctx.Err() != nil {
		return
	}
	var promises []promised
	var work sync.WaitGroup
	for _, p := range r.promises(s, others) {
		done := make(chan Check, 1)
		promises = append(promises, done)
		work.Go(func() {
			defer close(done)
			seen, ok := p.try(ctx)
			if ctx.Err() == nil { // else it was cut short and proves nothing
				done <- Check{Network: name, Promise: p.text, Expected: p.expected, Seen: seen, OK: ok}
			}
		})
	}
	list <- promises
	work.Wait()
}

// selected returns the names to prove, sorted, each once.
func selected(o Options) ([]string, error) {
	if len(o.Only) == 0 {
		return slices.Sorted(maps.Keys(o.Running)), nil
	}
	names := slices.Compact(slices.Sorted(slices.Values(o.Only)))
	var unknown []string
	for _, name := range names {
		if o.Running[name] == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("verify %s: not running", strings.Join(unknown, ", "))
	}
	return names, nil
}
