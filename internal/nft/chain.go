package nft

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Chains that are made for one object have names that begin so; those of the
// program do not.
var prefixes = []string{"policy_from_", "policy_to_", "policy_in_", "caps_", "source_"}

// generated reports whether a chain of that name is made for one object.
func generated(name string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) && len(name) > len(p) })
}

// isGenerated reports whether a chain of the kernel's is one made for an object.
// None of those hangs on a hook.
func isGenerated(ch attributes) bool {
	return generated(ch.text(unix.NFTA_CHAIN_NAME)) && ch.bytes(unix.NFTA_CHAIN_HOOK) == nil
}

// digest stands for the rules as the kernel holds them, their comments included.
func (b body) digest() string {
	h := sha256.New()
	for i, line := range b.lines() {
		fmt.Fprintf(h, "%s comment %s\n", line, comment(b.rules[i]))
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:digestLen]
}

// digestLen is that of plan.ChainDigest.
const digestLen = 12

// A note beside the first rule of a chain says of which text the rules were made,
// and the digest of what was made of it. So an edit by hand shows, also after a
// restart, and the text can be told without being there.

// note is what is written beside the rules of a text.
func (b body) note(text string) []byte { return []byte(plan.ChainDigest(text) + b.digest()) }

// observed is the digest of the text that the rules were made of; of rules that
// nobody wrote so, a digest that no text has.
func (b body) observed() string {
	if len(b.rules) == 0 {
		return plan.ChainDigest("")
	}
	is := b.digest()
	note := string(record(b.rules[0].bytes(unix.NFTA_RULE_USERDATA), noteType))
	if len(note) == 2*digestLen && note[digestLen:] == is {
		return note[:digestLen]
	}
	return "edited " + is
}

// generated are the chains of the table that are made for objects.
func (t table) generated(ns string) []plan.Chain {
	var chains []plan.Chain
	bodies := t.bodies()
	for _, ch := range t.chains {
		if isGenerated(ch) {
			name := ch.text(unix.NFTA_CHAIN_NAME)
			chains = append(chains, plan.Chain{Mark: "host", NS: ns, Name: name, Digest: bodies[name].observed()})
		}
	}
	return chains
}

// content is what a chain is to hold.
type content struct {
	chain string
	body  body
	note  []byte // nil = the one that is there
}

// contents are what the chains that come or change are to hold.
func (ch change) contents() (come []content) {
	for _, op := range ch.ops {
		if c, ok := op.Object.(plan.Chain); ok && op.Verb != plan.Del {
			b := ch.bodies[c.Rules]
			come = append(come, content{c.Name, b, b.note(c.Rules)})
		}
	}
	return come
}

// leaving names the chains that go.
func (ch change) leaving() (names []string) {
	for _, op := range ch.ops {
		if c, ok := op.Object.(plan.Chain); ok && op.Verb == plan.Del {
			names = append(names, c.Name)
		}
	}
	return names
}

// chains makes chains, gives those that are there other rules, and deletes
// chains. Rules of one may lead to another.
func (t *transaction) chains(come []content, leaving []string) {
	t.family = unix.NFPROTO_INET
	for _, c := range come {
		t.make(unix.NFT_MSG_NEWCHAIN, chainNamed(c.chain))
		t.empty(c.chain)
	}
	for _, name := range leaving {
		t.empty(name)
	}
	for _, name := range leaving {
		t.do(unix.NFT_MSG_DELCHAIN, chainNamed(name))
	}
	for _, c := range come {
		t.rules(c.chain, c.body, c.note)
	}
}

func chainNamed(name string) attributes {
	return attributes{}.putText(unix.NFTA_CHAIN_TABLE, Table).putText(unix.NFTA_CHAIN_NAME, name)
}
