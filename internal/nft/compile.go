package nft

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// compiler knows what this kernel and this nft make of our texts. It has them
// loaded into a namespace of its own and reads what the kernel holds.
type compiler struct {
	sync.Mutex
	conn    *Conn // to the namespace; nil = nothing known
	program listed
	router  listed          // the program without guards
	replays bool            // the kernel takes the program as it lists it
	bodies  map[string]body // by the text of the rules
}

var compiled compiler

// Fingerprint is what this kernel and this nft make of our program in a namespace, as
// Open names it: 12 hex digits. The first call loads it into a namespace of its own;
// the answer is kept.
func Fingerprint(ctx context.Context, ns string) (string, error) {
	program, _, err := compiled.get(ctx, ns)
	if err != nil {
		return "", err
	}
	return program.print, nil
}

// get returns the program of a namespace as the kernel lists it, and whether the
// kernel takes it so.
func (s *compiler) get(ctx context.Context, ns string) (program listed, replays bool, err error) {
	s.Lock()
	defer s.Unlock()
	err = s.start(ctx)
	if guards(ns) {
		return s.program, s.replays, err
	}
	return s.router, s.replays, err
}

// start compiles the program, once.
func (s *compiler) start(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	ns, err := netns.New()
	if err == nil {
		if err = s.load(ctx, ns); err != nil {
			err = errors.Join(err, ns.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("compile the nftables program: %w", err)
	}
	return nil
}

func (s *compiler) load(ctx context.Context, ns *netns.NS) error {
	c, err := Open(ns, "")
	if err != nil {
		return err
	}
	if err = load(ctx, ns, script("", nil, nil)); err != nil {
		return errors.Join(hint(err), c.Close())
	}
	tables, err := c.tables()
	if err != nil {
		return errors.Join(err, c.Close())
	}
	s.program, s.router = list(tables), list(tables.unguarded())
	s.conn, s.bodies = c, map[string]body{}
	s.replays = s.replayed() == s.program.print
	return nil
}

// hint adds what a kernel must have to a refusal of the program, which no spec
// can be the cause of.
func hint(err error) error {
	if errors.Is(err, errNoNFT) {
		return err
	}
	return fmt.Errorf("%w\nkvmnet needs Linux 5.19 or later with nftables and nft_fib_inet", err)
}

// replayed is the fingerprint of the program when it was handed over as the
// kernel listed it.
func (s *compiler) replayed() string {
	t := begin()
	for _, family := range families {
		t.drop(family)
	}
	t.all(s.program)
	if s.conn.commit(t) != nil {
		return ""
	}
	again, err := s.conn.tables()
	if err != nil {
		return ""
	}
	return again.fingerprint()
}

// chains returns what is made of the rules of chains, by their text.
func (s *compiler) chains(ctx context.Context, chains []plan.Chain) (map[string]body, error) {
	s.Lock()
	defer s.Unlock()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.learn(ctx, chains); err != nil {
		// One by one, to find the one that is wrong.
		for _, ch := range chains {
			if err := s.learn(ctx, []plan.Chain{ch}); err != nil {
				return nil, fmt.Errorf("chain %s: %w", ch.Name, err)
			}
		}
	}
	found := map[string]body{}
	for _, ch := range chains {
		found[ch.Rules] = s.bodies[ch.Rules]
	}
	return found, nil
}

// remembered bounds the texts that are kept.
const remembered = 10_000

// learn compiles the texts that are not known yet.
func (s *compiler) learn(ctx context.Context, chains []plan.Chain) error {
	if len(s.bodies) > remembered {
		clear(s.bodies)
	}
	names := map[string]string{} // by text
	for _, ch := range chains {
		if _, known := s.bodies[ch.Rules]; !known && names[ch.Rules] == "" {
			names[ch.Rules] = fmt.Sprintf("scratch%d", len(names))
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := load(ctx, s.conn.ns, scratch(names)); err != nil {
		return err
	}
	t, err := s.conn.table(unix.NFPROTO_INET)
	if err != nil {
		return err
	}
	bodies := t.bodies()
	for text, name := range names {
		s.bodies[text] = bodies[name].own()
	}
	return s.tidy(t)
}

// leads finds the chains that rules lead to. Each must be there when the rules
// are made.
var leads = regexp.MustCompile(`\b(?:jump|goto) ([^\s;]+)`)

// scratch is the text of chains with these rules and of those they lead to.
func scratch(names map[string]string) string {
	text := strings.Join(slices.Collect(maps.Keys(names)), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", Table)
	for _, m := range leads.FindAllStringSubmatch(text, -1) {
		if generated(m[1]) {
			fmt.Fprintf(&b, "chain %s { }\n", m[1])
		}
	}
	for rules, name := range names {
		fmt.Fprintf(&b, "chain %s {\n%s\n}\n", name, rules)
	}
	return b.String() + "}\n"
}

// tidy takes everything but the program out of the namespace.
func (s *compiler) tidy(t table) error {
	var names []string
	for _, ch := range t.chains {
		if name := ch.text(unix.NFTA_CHAIN_NAME); !hasChain(name) {
			names = append(names, name)
		}
	}
	tr := begin()
	for _, name := range names {
		tr.empty(name)
	}
	for _, name := range names {
		tr.do(unix.NFT_MSG_DELCHAIN, chainNamed(name))
	}
	return s.conn.commit(tr)
}

// own returns a copy of the body with no other sets than its own. What was read
// lies in large buffers, which would stay with it.
func (b body) own() body {
	var rules []attributes
	sets := map[string]anonymous{}
	for _, r := range b.rules {
		rules = append(rules, slices.Clone(r))
		for _, item := range r.nested(unix.NFTA_RULE_EXPRESSIONS).all() {
			name := attributes(item).nested(unix.NFTA_EXPR_DATA).text(unix.NFTA_LOOKUP_SET)
			if set, ok := b.sets[name]; ok {
				sets[name] = set.clone()
			}
		}
	}
	return body{rules, sets}
}

func (a anonymous) clone() anonymous {
	c := anonymous{self: slices.Clone(a.self)}
	for _, r := range a.rows {
		c.rows = append(c.rows, slices.Clone(r))
	}
	return c
}
