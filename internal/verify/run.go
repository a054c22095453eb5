package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"kvmnet/internal/spec"
)

// run is what one Run holds.
type run struct {
	o       Options
	nets    map[string]*spec.Network // with the subnets that routers serve there
	gates   map[string][]gate        // of the subnets
	host    *place
	routers map[string]*lodging
	rules   rulebook
	ledger  *ledger
	others  map[string][]string // by network to prove: the networks it is tried against
	slots   map[string]*slot

	opening chan struct{}  // bounds how many sites are opened at once
	closing sync.WaitGroup // counts sites that are being closed

	mu     sync.Mutex
	places []*place // that are open, the host first
	errs   []error
}

// slot holds a site while somebody needs it.
type slot struct {
	once  sync.Once
	site  *site // nil when it could not be opened
	users int
}

func begin(ctx context.Context, o Options, names []string) (*run, error) {
	r := &run{o: o, ledger: newLedger(), routers: map[string]*lodging{}, others: map[string][]string{}, slots: map[string]*slot{}, opening: make(chan struct{}, 2*atOnce)}
	r.nets, r.gates = joined(o)
	r.rules = newRulebook(o)
	for name := range o.Routers {
		r.routers[name] = &lodging{}
	}
	for _, name := range names {
		r.others[name] = others(r.nets, name)
		for _, n := range append(r.others[name], name) {
			if r.slots[n] == nil {
				r.slots[n] = &slot{}
			}
			r.slots[n].users++
		}
	}
	var err error
	if r.host, err = openHost(ctx, o, r.ledger); err != nil {
		return nil, err
	}
	r.places = []*place{r.host}
	return r, nil
}

// end waits until the sites are gone, all released by dispatch, and gives back
// the rest.
func (r *run) end() error {
	r.closing.Wait()
	var work sync.WaitGroup
	for _, p := range r.opened() {
		work.Go(func() {
			if err := p.Close(); err != nil {
				r.fail(err)
			}
		})
	}
	work.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.errs...)
}

// opened lists the places that are open.
func (r *run) opened() []*place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.places)
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// open returns the site of a network and those it is tried against, as far as
// they could be opened.
func (r *run) open(ctx context.Context, name string) (*site, []*site) {
	names := append([]string{name}, r.others[name]...)
	sites := make([]*site, len(names))
	var work sync.WaitGroup
	for i, n := range names {
		work.Go(func() { sites[i] = r.use(ctx, n) })
	}
	work.Wait()
	return sites[0], slices.DeleteFunc(sites[1:], func(s *site) bool { return s == nil })
}

func (r *run) use(ctx context.Context, name string) *site {
	sl := r.slots[name]
	sl.once.Do(func() {
		r.opening <- struct{}{}
		defer func() { <-r.opening }()
		s, err := r.openSite(ctx, name, r.nets[name])
		if err != nil && ctx.Err() == nil {
			r.fail(fmt.Errorf("plug test hosts into network %s: %w", name, err))
		}
		sl.site = s
	})
	return sl.site
}

// release closes the sites that nobody needs any more. The kernel takes its time
// to end an interface, so that goes on beside the next promises.
func (r *run) release(names ...string) {
	for _, name := range names {
		r.mu.Lock()
		sl := r.slots[name]
		sl.users--
		last := sl.users == 0
		r.mu.Unlock()
		if last && sl.site != nil {
			r.closing.Go(func() {
				if err := sl.site.Close(); err != nil {
					r.fail(err)
				}
			})
		}
	}
}

// reach is how many networks of either kind a network is tried against.
const reach = 8

// others picks the networks a network is tried against: the next ones in a ring
// of names, and the next isolated ones, sorted. So each network is also tried by
// others, and only a window of the ring is plugged in at any time.
func others(running map[string]*spec.Network, name string) []string {
	if !running[name].Mode.Managed() {
		return nil
	}
	names := slices.Sorted(maps.Keys(running))
	at, _ := slices.BinarySearch(names, name)
	ring := append(slices.Clone(names[at+1:]), names[:at]...)
	var picked []string
	near, isolated := 0, 0
	for _, n := range ring {
		switch {
		case !running[n].Mode.Managed() || len(running[n].Subnets) == 0:
			continue
		case near < reach:
			near++
		case running[n].Mode == spec.Isolated && isolated < reach:
			isolated++
		default:
			continue
		}
		picked = append(picked, n)
	}
	slices.Sort(picked)
	return picked
}
