package dhcp4

import (
	"net/netip"
	"slices"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// shelf is the stock of one scope.
type shelf struct {
	next []netip.Addr // in the order the table gives them
	left int          // not offered yet, about
}

// refill probes the stocks of all scopes now and from time to time.
func (p *prober) refill() {
	c := p.config()
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if c != nil && !p.closed {
		p.timer = time.AfterFunc(restock, p.refill)
	}
	clear(p.stocks)
	p.forget(time.Now())
	p.mu.Unlock()
	if c == nil {
		return
	}
	for _, s := range c.near { // ARP reaches nobody behind a router
		p.restock(s)
	}
}

// restock asks the table which addresses newcomers get next, and probes those
// that were not probed lately.
func (p *prober) restock(s *scope) {
	if len(s.Ranges) == 0 {
		return
	}
	next := p.table.Next(lease.Want{Ranges: s.Ranges, Usable: s.open}, stockSize)
	var ask []netip.Addr
	now := time.Now()
	p.mu.Lock()
	p.stocks[s.Prefix] = &shelf{next, len(next)}
	for _, a := range next {
		if asked, ok := p.probes[a]; !ok || now.Sub(asked) >= restock {
			ask = append(ask, a)
		}
	}
	p.mu.Unlock()
	for _, a := range ask {
		p.ask(a)
	}
}

// stock lists the addresses of a scope that are clear, as ranges of one.
func (p *prober) stock(s *scope) []plan.Range {
	now := time.Now()
	p.mu.Lock()
	var list []plan.Range
	if sh := p.stocks[s.Prefix]; sh != nil {
		for _, a := range sh.next {
			if p.silent(a, now) && s.dynamic(a) {
				list = append(list, plan.Range{From: a, To: a})
			}
		}
	}
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b plan.Range) int { return a.From.Compare(b.From) })
	return list
}

// taken notes that a newcomer got a dynamic address; when half of the stock is
// gone, more are probed.
func (p *prober) taken(s *scope) {
	p.mu.Lock()
	sh := p.stocks[s.Prefix]
	low := sh == nil
	if sh != nil {
		sh.left--
		low = sh.left <= stockSize/2
	}
	p.mu.Unlock()
	if low {
		p.restock(s)
	}
}
