package nft

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fingerprint digests both tables.
func (all tables) fingerprint() string {
	h := sha256.New()
	for _, t := range all {
		fmt.Fprintf(h, "%s\n%s\n", named(t.family), t.text())
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12]
}

// text writes everything that decides about a packet: not the handles,
// which count loads, not the counters, not the elements of the named maps, not
// the chains that are made for one object. Objects are sorted, the rules of a chain
// in order.
func (t table) text() string {
	var blocks []string
	bodies := t.bodies()
	for _, ch := range t.chains {
		if !isGenerated(ch) {
			body := bodies[ch.text(unix.NFTA_CHAIN_NAME)]
			blocks = append(blocks, strings.Join(append([]string{ch.chain()}, body.lines()...), "\n"))
		}
	}
	for _, set := range t.sets {
		blocks = append(blocks, fmt.Sprintf("set %s %s", set.text(unix.NFTA_SET_NAME), kindOfSet(set)))
	}
	for _, o := range t.objects {
		blocks = append(blocks, fmt.Sprintf("object %s type %d", o.text(unix.NFTA_OBJ_NAME), o.uint32(unix.NFTA_OBJ_TYPE)))
	}
	slices.Sort(blocks)
	if t.self == nil {
		return "none"
	}
	// A dormant table has all its chains unhooked.
	head := fmt.Sprintf("table flags %d\n", t.self.uint32(unix.NFTA_TABLE_FLAGS))
	return head + strings.Join(blocks, "\n")
}

func (a attributes) chain() string {
	return fmt.Sprintf("chain %s %s policy %d flags %d", a.text(unix.NFTA_CHAIN_NAME),
		kindOfChain(a), a.uint32(unix.NFTA_CHAIN_POLICY), a.uint32(chainFlags))
}
