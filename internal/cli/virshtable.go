package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns prints rows under a head as virsh does: a space before every cell, at least
// three between two columns, and a line as wide as the table. --quiet has no head.
func (a *app) columns(head []string, rows [][]string) {
	all := rows
	if !a.quiet {
		all = append([][]string{head}, rows...)
	}
	widths := widest(all, len(head))
	for i, row := range all {
		writeRow(a.Stdout, row, widths)
		if i == 0 && !a.quiet {
			fmt.Fprintln(a.Stdout, strings.Repeat("-", rule(widths)))
		}
	}
}

// widest are the widths of the columns.
func widest(rows [][]string, columns int) []int {
	widths := make([]int, columns)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// rule is how long the line below the head is.
func rule(widths []int) (length int) {
	for _, w := range widths {
		length += w + 3
	}
	return length
}

func writeRow(w io.Writer, row []string, widths []int) {
	for i, cell := range row[:len(row)-1] {
		fmt.Fprintf(w, " %s%s", cell, strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(cell)))
	}
	fmt.Fprintf(w, " %s\n", row[len(row)-1])
}
