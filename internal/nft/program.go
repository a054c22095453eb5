package nft

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Table is the name of our table, of family inet. A table of another family with
// the same name is not ours.
const Table = "kvmnet"

//go:embed program.nft
var program string

// hasChain reports whether the program has a chain of that name.
func hasChain(name string) bool {
	return name != "" && strings.Contains(program, "\tchain "+name+" {\n")
}

// script is the text that loads the whole table in one transaction, whatever was
// there before. nft has no "create or replace" before `destroy` (1.0.7): adding
// first makes the delete safe when the table is not there.
//
// Between two tables of one name a packet may slip through: at equal priority the
// kernel puts the new chain before the old one, so a packet can meet the new one
// just before the switch, when it is still empty, and the old one just after it,
// when it is empty already. Use refill where a table stands.
func script(elements []plan.Element) string {
	return fmt.Sprintf("table inet %[1]s\ndelete table inet %[1]s\n%[2]s", Table, program) + statements("add", elements)
}

// refill is the text that turns the table that is there into ours without a gap:
// the chains stay on their hooks and change from old rules to new ones at once,
// and only elements that differ are touched. It reports false for a table with
// names that text cannot carry. nft refuses the text when a chain hangs on
// another hook, or a map has another type, than the program says.
func refill(old table, have, want []plan.Element) (string, bool) {
	stray, ok := old.strays()
	if !ok {
		return "", false
	}
	keep := map[plan.Key]string{}
	for _, e := range want {
		keep[e.Key()] = e.Value
	}
	gone := slices.DeleteFunc(slices.Clone(have), func(e plan.Element) bool {
		value, found := keep[e.Key()]
		return found && value == e.Value
	})
	head := fmt.Sprintf("table inet %[1]s\nflush table inet %[1]s\n", Table)
	return head + statements("delete", gone) + program + statements("add", want) + stray, true
}

// statements write "add element" or "delete element", one for each map.
func statements(verb string, elements []plan.Element) string {
	rows := map[string][]string{}
	for _, e := range elements {
		row := shapes[e.Map].key.quote(e.ID)
		if verb == "add" && e.Value != "" {
			row += " : " + e.Value
		}
		rows[e.Map] = append(rows[e.Map], row)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[name])
		fmt.Fprintf(&b, "%s element inet %s %s { %s }\n", verb, Table, name, strings.Join(rows[name], ",\n"))
	}
	return b.String()
}

// plain are the names that nft text can carry.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// strays are statements that delete what is in the table and not in the program:
// first maps and sets, whose verdicts hold chains, then chains, then counters.
// It reports false if there is one that nft text cannot delete.
func (t table) strays() (string, bool) {
	var b strings.Builder
	for _, kind := range []struct {
		word    string
		objects []attributes
		name    int
	}{
		{"set", t.sets, unix.NFTA_SET_NAME},
		{"chain", t.chains, unix.NFTA_CHAIN_NAME},
		{"counter", t.objects, unix.NFTA_OBJ_NAME},
	} {
		for _, o := range kind.objects {
			name, word := o.text(kind.name), kind.word
			_, anonymous := t.anonymous[name]
			if word == "set" && o.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_MAP != 0 {
				word = "map"
			}
			if anonymous || strings.Contains(program, "\t"+word+" "+name+" {") {
				continue
			}
			if !plain.MatchString(name) {
				return "", false
			}
			fmt.Fprintf(&b, "delete %s inet %s %s\n", word, Table, name)
		}
	}
	return b.String(), true
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
