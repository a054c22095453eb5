package lab

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	columns := []column{{"quiet", "isolated", "no address"}, {"shared", "nat", "10.0.0.1/24"}}
	made := func(row, column string, f family, promise, seen string) *cell {
		return &cell{row: row, column: column, family: f, promise: promise, verdict: verdict{outcome: seen}}
	}
	cells := []*cell{
		made("guest → outside", "quiet", v4, no, no),
		made("guest → outside", "quiet", v6, no, kept),
		made("guest → outside", "shared", v4, rewritten, rewritten),
		made("guest → outside", "shared", v6, rewritten, rewritten),
		made("outside → guest", "shared", v4, no, no),
	}
	for _, c := range []struct {
		name  string
		width int
		p     paint
		want  string
	}{
		{"endless", 0, false, `
                 quiet              shared
                 isolated           nat
                 no address         10.0.0.1/24
guest → outside  ✓✗ no / yes, kept  ✓✓ yes, rewritten
outside → guest  –                  ✓· no
`},
		{"narrow", 40, false, `
                 quiet
                 isolated
                 no address
guest → outside  ✓✗ no / yes, kept
outside → guest  –

                 shared
                 nat
                 10.0.0.1/24
guest → outside  ✓✓ yes, rewritten
outside → guest  ✓· no
`},
		{"narrower than a column", 1, true, "\n" +
			"\x1b[1m                 quiet\x1b[0m\n" +
			"                 isolated\n" +
			"                 no address\n" +
			"guest → outside  \x1b[32m✓\x1b[0m\x1b[31;1m✗\x1b[0m no / yes, kept\n" +
			"outside → guest  –\n\n" +
			"\x1b[1m                 shared\x1b[0m\n" +
			"                 nat\n" +
			"                 10.0.0.1/24\n" +
			"guest → outside  \x1b[32m✓\x1b[0m\x1b[32m✓\x1b[0m yes, rewritten\n" +
			"outside → guest  \x1b[32m✓\x1b[0m· no\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			table(&out, columns, cells, c.width, c.p)
			if got := "\n" + out.String(); got != c.want {
				t.Errorf("got:%s\nwant:%s", got, c.want)
			}
		})
	}
}
