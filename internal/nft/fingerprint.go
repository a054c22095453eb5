package nft

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// compiled is the fingerprint of this binary's program, once known.
var compiled struct {
	sync.Mutex
	fingerprint string
}

// Fingerprint is what this kernel and this nft make of our program: 12 hex
// digits. The first call loads it into a namespace of its own; the answer is
// kept.
func Fingerprint(ctx context.Context) (string, error) {
	compiled.Lock()
	defer compiled.Unlock()
	if compiled.fingerprint != "" {
		return compiled.fingerprint, nil
	}
	f, err := compile(ctx)
	if err != nil {
		return "", fmt.Errorf("fingerprint the nftables program: %w", err)
	}
	compiled.fingerprint = f
	return f, nil
}

// hint adds what a kernel must have to a refusal of the program, which no spec
// can be the cause of.
func hint(err error) error {
	if errors.Is(err, errNoNFT) {
		return err
	}
	return fmt.Errorf("%w\nkvmnet needs Linux 5.19 or later with nftables and nft_fib_inet", err)
}

func compile(ctx context.Context) (string, error) {
	ns, err := netns.New()
	if err != nil {
		return "", err
	}
	defer ns.Close()
	c, err := Open(ns, "")
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := load(ctx, ns, script(nil)); err != nil {
		return "", hint(err)
	}
	state, err := c.Observe(ctx)
	if err != nil {
		return "", err
	}
	for p := range plan.Of[plan.Program](state) {
		return p.Fingerprint, nil
	}
	return "", errors.New("the table is not there after loading")
}

// table is what the kernel holds of our table, elements of named maps apart.
type table struct {
	self                         attributes
	chains, rules, sets, objects []attributes
	anonymous                    map[string][]string // elements of anonymous sets, part of a rule
}

// table reads our table; the error is ENOENT when there is none.
func (c *Conn) table() (table, error) {
	self, err := c.get(unix.NFT_MSG_GETTABLE, 0, attr{unix.NFTA_TABLE_NAME, Table})
	if err != nil {
		return table{}, fmt.Errorf("read table inet %s: %w", Table, err)
	}
	t := table{self: self[0], anonymous: map[string][]string{}}
	for _, part := range []struct {
		into      *[]attributes
		message   int
		tableAttr int
	}{
		{&t.chains, unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_TABLE},
		{&t.rules, unix.NFT_MSG_GETRULE, unix.NFTA_RULE_TABLE},
		{&t.sets, unix.NFT_MSG_GETSET, unix.NFTA_SET_TABLE},
		{&t.objects, unix.NFT_MSG_GETOBJ, unix.NFTA_OBJ_TABLE},
	} {
		found, err := c.get(part.message, netlink.Dump, attr{uint16(part.tableAttr), Table})
		if err != nil {
			return table{}, fmt.Errorf("read table inet %s: %w", Table, err)
		}
		// The kernel's chain dump knows the family only.
		*part.into = slices.DeleteFunc(found, func(a attributes) bool { return a.text(part.tableAttr) != Table })
	}
	return t, c.readAnonymous(&t)
}

func (c *Conn) readAnonymous(t *table) error {
	for _, set := range t.sets {
		if set.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_ANONYMOUS == 0 {
			continue
		}
		name := set.text(unix.NFTA_SET_NAME)
		raw, err := c.rawElements(name)
		if err != nil {
			return fmt.Errorf("read elements of %s: %w", name, err)
		}
		for _, r := range raw {
			t.anonymous[name] = append(t.anonymous[name], fmt.Sprintf("%x", r))
		}
		// The kernel lists a hash in the order of its buckets.
		slices.Sort(t.anonymous[name])
	}
	return nil
}

// fingerprint digests everything that decides about a packet: not the handles,
// which count loads, not the counters, not the elements of the named maps.
func (t table) fingerprint() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(t.text())))[:12]
}

// text writes the table as lines: objects sorted, the rules of a chain in order.
func (t table) text() string {
	rules := map[string][]string{}
	for _, r := range t.rules {
		chain := r.text(unix.NFTA_RULE_CHAIN)
		rules[chain] = append(rules[chain], "rule "+r.expressions())
	}
	var blocks []string
	for _, ch := range t.chains {
		lines := append([]string{ch.chain()}, rules[ch.text(unix.NFTA_CHAIN_NAME)]...)
		blocks = append(blocks, strings.Join(lines, "\n"))
	}
	for _, set := range t.sets {
		lines := append([]string{set.set()}, t.anonymous[set.text(unix.NFTA_SET_NAME)]...)
		blocks = append(blocks, strings.Join(lines, "\n"))
	}
	for _, o := range t.objects {
		blocks = append(blocks, fmt.Sprintf("object %s type %d", o.text(unix.NFTA_OBJ_NAME), o.uint32(unix.NFTA_OBJ_TYPE)))
	}
	slices.Sort(blocks)
	// A dormant table has all its chains unhooked.
	head := fmt.Sprintf("table flags %d\n", t.self.uint32(unix.NFTA_TABLE_FLAGS))
	return head + strings.Join(blocks, "\n")
}

// chainFlags is NFTA_CHAIN_FLAGS of linux/netfilter/nf_tables.h, which x/sys/unix
// lacks.
const chainFlags = 10

func (a attributes) chain() string {
	return fmt.Sprintf("chain %s type %s hook %x policy %d flags %d", a.text(unix.NFTA_CHAIN_NAME),
		a.text(unix.NFTA_CHAIN_TYPE), a.bytes(unix.NFTA_CHAIN_HOOK), a.uint32(unix.NFTA_CHAIN_POLICY), a.uint32(chainFlags))
}

func (a attributes) set() string {
	return fmt.Sprintf("set %s flags %d key %d %d data %d %d", a.text(unix.NFTA_SET_NAME),
		a.uint32(unix.NFTA_SET_FLAGS), a.uint32(unix.NFTA_SET_KEY_TYPE), a.uint32(unix.NFTA_SET_KEY_LEN),
		a.uint32(unix.NFTA_SET_DATA_TYPE), a.uint32(unix.NFTA_SET_DATA_LEN))
}

// expressions writes a rule as the kernel's own bytes, without what an anonymous
// counter has counted.
func (a attributes) expressions() string {
	var words []string
	for _, item := range a.nested(unix.NFTA_RULE_EXPRESSIONS).all() {
		e := attributes(item)
		word := e.text(unix.NFTA_EXPR_NAME)
		if word != "counter" {
			word += fmt.Sprintf(":%x", e.bytes(unix.NFTA_EXPR_DATA))
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
