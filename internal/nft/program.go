package nft

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Table is the name of our tables, of families inet and bridge. A table of another
// family with the same name is not ours.
const Table = "kvmnet"

//go:embed program.nft
var program string

//go:embed guard.nft
var guard string

// hasChain reports whether the program has a chain of that name.
func hasChain(name string) bool {
	return name != "" && strings.Contains(program+guard, "\tchain "+name+" {\n")
}

// guards reports whether the table of guards belongs into a namespace: guests are on
// bridges of the host. A router has none, and 200 of them would pay for it.
func guards(ns string) bool { return ns == "" }

// script is the text that loads the tables of a namespace in one transaction, whatever
// was there before. nft has no "create or replace" before `destroy` (1.0.7): adding
// first makes the delete safe when the table is not there.
//
// Between two tables of one name a packet may slip through: at equal priority the
// kernel puts the new chain before the old one, so a packet can meet the new one
// just before the switch, when it is still empty, and the old one just after it,
// when it is empty already. Mend where a table stands.
func script(ns string, elements, chains []plan.Op) string {
	var head strings.Builder
	for _, family := range families {
		fmt.Fprintf(&head, "table %[1]s\ndelete table %[1]s\n", named(family))
	}
	head.WriteString(program)
	if guards(ns) {
		head.WriteString(guard)
	}
	return head.String() + chainsText(chains) + elementsText(elements)
}

// chainsText writes the chains that are made for objects.
func chainsText(ops []plan.Op) string {
	var heads, rules strings.Builder
	for _, op := range ops {
		if ch, ok := op.Object.(plan.Chain); ok && op.Verb != plan.Del {
			fmt.Fprintf(&heads, "add chain inet %s %s\n", Table, ch.Name)
			fmt.Fprintf(&rules, "table inet %s {\nchain %s {\n%s\n}\n}\n", Table, ch.Name, ch.Rules)
		}
	}
	return heads.String() + rules.String()
}

// elementsText writes "add element", one for each map.
func elementsText(ops []plan.Op) string {
	rows := map[string][]string{}
	for _, op := range ops {
		e := op.Object.(plan.Element)
		row := quote(shapes[e.Map].key, e.ID)
		switch {
		case shapes[e.Map].rate:
			row += " " + rateText(e.Value)
		case e.Value != "":
			row += " : " + e.Value
		}
		rows[e.Map] = append(rows[e.Map], row)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[name])
		fmt.Fprintf(&b, "add element %s %s { %s }\n", named(shapes[name].family()), name, strings.Join(rows[name], ",\n"))
	}
	return b.String()
}

var errNoNFT = errors.New("nft is not installed: apt install nftables")

// load runs nft(8) inside the namespace. The process is only started there; it
// keeps the namespace of the thread that forked it.
func load(ctx context.Context, ns *netns.NS, text string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin, cmd.Stderr = strings.NewReader(text), &stderr
	if err := ns.Do(cmd.Start); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errNoNFT
		}
		return fmt.Errorf("run nft: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, summary(stderr.String()))
	}
	return nil
}

// summary keeps nft's first complaint: message, source line and caret.
func summary(stderr string) string {
	lines := strings.SplitN(strings.TrimSpace(stderr), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "\n")
}
