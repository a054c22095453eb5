package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Broken is the error of a demo whose promises did not all hold.
type Broken struct{ Broken, Total int }

func (b *Broken) Error() string {
	return fmt.Sprintf("%d of %d promises broken", b.Broken, b.Total)
}

// say prints a line.
func (d *demo) say(format string, args ...any) {
	d.out.Lock()
	defer d.out.Unlock()
	fmt.Fprintf(d.Out, format+"\n", args...)
}

// step prints what happens now, and when, so that nobody looks at nothing.
func (d *demo) step(format string, args ...any) {
	d.say("%5.1fs  %s", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// report prints the table and what goes with it.
func (d *demo) report(cells []*cell) error {
	d.step("done")
	p := paint(d.Terminal)
	var columns []column
	for _, n := range d.networks {
		columns = append(columns, n.column())
	}
	d.say("")
	who, served := split(cells)
	table(d.Out, columns, who, d.width(), p)
	if len(served) > 0 {
		d.say("\nServices, as the first guest of each network was told:")
		table(d.Out, servedColumns(columns, served), served, d.width(), p)
	}
	d.say("\n✓ as promised, ✗ not; the first mark is IPv4, the second IPv6. kept, rewritten: the source address the other side saw.")
	d.sources(cells)
	broken := 0
	for _, c := range cells {
		if !c.held() {
			broken++
			d.say("%s %s, %s, %s: promised %q, seen %q (%s)", p.red("✗"), c.column, c.row, c.family, c.promise, c.outcome, c.detail)
		}
	}
	if broken > 0 {
		return &Broken{broken, len(cells)}
	}
	d.say("")
	return nil
}

// split sorts cells by the table they are in.
func split(cells []*cell) (who, served []*cell) {
	for _, c := range cells {
		if c.service {
			served = append(served, c)
		} else {
			who = append(who, c)
		}
	}
	return who, served
}

// servedColumns are the names of the networks that serve something.
func servedColumns(columns []column, cells []*cell) (list []column) {
	for _, col := range columns {
		if slices.ContainsFunc(cells, func(c *cell) bool { return c.column == col.name }) {
			list = append(list, column{name: col.name})
		}
	}
	return list
}

// kept is the last line of a demo that went well.
func (d *demo) kept(n int) {
	d.say("\n%s", paint(d.Terminal).bold(fmt.Sprintf("%d of %d promises kept", n, n)))
}

// sources prints under which addresses the outside saw the guests.
func (d *demo) sources(cells []*cell) {
	d.say("\nWhat the outside saw:")
	for _, n := range d.networks {
		var texts []string
		for _, c := range cells {
			if c.column == n.name && c.row == toOutsideRow {
				texts = append(texts, saw(n.guests[0].addr.addr(c.family), c.source))
			}
		}
		if len(texts) > 0 {
			d.say("  %-10s %s", n.name, strings.Join(texts, ", "))
		}
	}
}

func saw(own, source netip.Addr) string {
	if !source.IsValid() {
		return fmt.Sprintf("nothing of %s", own)
	}
	return fmt.Sprintf("%s as %s", own, source)
}
