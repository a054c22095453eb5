package plan

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
)

// Netns is a named network namespace. That it is ours is written on its loopback
// interface.
type Netns struct {
	Mark
	Name string
}

// Key implements Object.
func (n Netns) Key() Key { return Key{"", KindNetns, n.Name} }

func (n Netns) String() string { return "netns " + n.Name }

// routerOwner is the owner of all that is in the namespace of a router.
func routerOwner(ns string) string { return "router/" + ns }

// Rule is a rule of policy routing: packets that fit look their route up in a
// table.
type Rule struct {
	Mark
	NS       string
	Family   string // ipv4 or ipv6
	Priority int
	FwMark   uint32       // 0 = any
	From     netip.Prefix // zero = any
	Table    int
}

// Key implements Object.
func (r Rule) Key() Key {
	return Key{r.NS, KindRule, fmt.Sprintf("%s %d mark %#x from %s table %d", r.Family, r.Priority, r.FwMark, r.From, r.Table)}
}

func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %s priority %d", r.Family, r.Priority)
	if r.From.IsValid() {
		fmt.Fprintf(&b, " from %s", r.From)
	}
	if r.FwMark != 0 {
		fmt.Fprintf(&b, " fwmark %#x", r.FwMark)
	}
	fmt.Fprintf(&b, " lookup %d", r.Table)
	return b.String()
}

// Chain is a chain of our table that is made for one object, such as the policies
// of a network, beside those of the program. An element of one of the program's
// verdict maps leads to it.
type Chain struct {
	Mark
	NS   string
	Name string
	// Rules are the rules as nft reads them, a line each. Of an observed chain they
	// are not known; Digest tells whether they are the ones that are wanted.
	Rules string
	// Digest stands for the rules: ChainDigest(Rules) when the kernel holds just
	// what was made of them.
	Digest string
}

// NewChain returns a chain with its digest.
func NewChain(owner Mark, ns, name string, rules ...string) Chain {
	text := strings.Join(rules, "\n")
	return Chain{Mark: owner, NS: ns, Name: name, Rules: text, Digest: ChainDigest(text)}
}

// ChainDigest is a digest of the rules of a chain, 12 hex digits.
func ChainDigest(rules string) string {
	sum := sha256.Sum256([]byte(rules))
	return fmt.Sprintf("%x", sum[:6])
}

// Key implements Object.
func (c Chain) Key() Key { return Key{c.NS, KindChain, c.Name} }

func (c Chain) String() string {
	if c.Rules == "" {
		return fmt.Sprintf("chain %s { # %s }", c.Name, c.Digest)
	}
	return fmt.Sprintf("chain %s { %s }", c.Name, strings.ReplaceAll(c.Rules, "\n", "; "))
}
