package resolved

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// view is what this systemd-resolved has.
type view struct {
	shown map[int]registration // of every link, ours or not
	sent  map[int]bool         // links we touched since it began; true: every setting arrived
}

// call is a method call of org.freedesktop.resolve1.Manager.
type call struct {
	method string
	index  int // 0 is no link
	args   []any
}

// String prints a call as SetLinkDNSSEC(7, no).
func (c call) String() string {
	var words []string
	if c.index != 0 {
		words = append(words, fmt.Sprint(c.index))
	}
	for _, a := range c.args {
		words = append(words, fmt.Sprint(a))
	}
	return c.method + "(" + strings.Join(words, ", ") + ")"
}

// all are the arguments on the wire.
func (c call) all() []any {
	if c.index == 0 {
		return c.args
	}
	return append([]any{int32(c.index)}, c.args...)
}

// diff lists the calls that turn have into want, links in order of their index:
// what must go, what must come, and the flush of the caches if the answer to a
// name may now be another one.
func diff(have view, want map[int]registration) []call {
	var calls []call
	for _, index := range gone(have, want) {
		calls = append(calls, call{method: "RevertLink", index: index})
	}
	flush := len(calls) > 0
	for _, index := range slices.Sorted(maps.Keys(want)) {
		if want[index].empty() {
			continue
		}
		had := have.shown[index]
		calls = append(calls, change(index, had, want[index], have.sent[index])...)
		flush = flush || !same(had, want[index])
	}
	if flush {
		calls = append(calls, call{method: "FlushCaches"})
	}
	return calls
}

// gone lists the links that must not be registered any more: those we touched,
// and those that still have what an earlier daemon sent, which nobody but us
// would: the servers of the link itself. What a person set there stays.
func gone(have view, want map[int]registration) []int {
	list := map[int]bool{}
	for index := range have.sent {
		if w, wanted := want[index]; !wanted || w.empty() {
			list[index] = true
		}
	}
	for index, w := range want {
		if w.empty() && len(w.servers) > 0 && slices.Equal(have.shown[index].servers, w.servers) {
			list[index] = true
		}
	}
	return slices.Sorted(maps.Keys(list))
}

// change lists the calls for one link. Servers come last: from that moment the
// link is asked, and by then it must be asked for its own zones only, and in the
// way its server speaks.
func change(index int, have, want registration, settled bool) []call {
	var calls []call
	fresh := !settled || len(have.servers) == 0 // reverted by somebody: settings are gone, too
	if fresh {
		calls = manners(index)
	}
	if !slices.Equal(have.domains, want.domains) {
		calls = append(calls, call{"SetLinkDomains", index, []any{want.domains}})
	}
	if !slices.Equal(have.servers, want.servers) {
		calls = append(calls, call{"SetLinkDNS", index, []any{want.wireServers()}})
	}
	return calls
}

// manners are the settings that nobody can read in one call, and that are the
// same for each link: no names but those of its zones; no validation, because
// private zones are not signed; no TLS, whatever the host's default; and no
// multicast, by which guests could answer for names of the host's LAN.
func manners(index int) []call {
	return []call{
		{"SetLinkDefaultRoute", index, []any{false}},
		{"SetLinkDNSSEC", index, []any{"no"}},
		{"SetLinkDNSOverTLS", index, []any{"no"}},
		{"SetLinkLLMNR", index, []any{"no"}},
		{"SetLinkMulticastDNS", index, []any{"no"}},
	}
}

func same(a, b registration) bool {
	return slices.Equal(a.servers, b.servers) && slices.Equal(a.domains, b.domains)
}
