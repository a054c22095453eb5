package manage

import (
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// next lists the networks that run in another way than they are defined.
func (w world) next() (list []api.Next) {
	for _, name := range slices.Sorted(maps.Keys(w.running.Networks)) {
		if object := "network/" + name; w.differs(name) {
			list = append(list, api.Next{Object: object, Lines: compare(pick(w.running, object), pick(w.defined, object))})
		}
	}
	return list
}

// compare lists the lines in which two specs differ, "- " of the one and "+ " of the
// other, below those that they are part of.
func compare(a, b *spec.Spec) []string { return relevant(align(yamlLines(a), yamlLines(b))) }

func yamlLines(s *spec.Spec) []string {
	return strings.Split(strings.TrimRight(string(specfile.Format(s)), "\n"), "\n")
}

// tooMany is how many pairs of lines are compared: of texts that differ in more, all of
// both is shown.
const tooMany = 4 << 20

// align marks the lines of two texts: "- " of the one, "+ " of the other, "  " of both.
func align(old, now []string) []string {
	begin := 0
	for begin < min(len(old), len(now)) && old[begin] == now[begin] {
		begin++
	}
	end := 0
	for end < min(len(old), len(now))-begin && old[len(old)-1-end] == now[len(now)-1-end] {
		end++
	}
	lines := marked("  ", old[:begin])
	lines = append(lines, interleave(old[begin:len(old)-end], now[begin:len(now)-end])...)
	return append(lines, marked("  ", old[len(old)-end:])...)
}

func marked(mark string, text []string) []string {
	lines := make([]string, len(text))
	for i, line := range text {
		lines[i] = mark + line
	}
	return lines
}

func interleave(old, now []string) (lines []string) {
	if len(old)*len(now) > tooMany {
		return append(marked("- ", old), marked("+ ", now)...)
	}
	longest := common(old, now)
	i, j := 0, 0
	for i < len(old) && j < len(now) {
		switch {
		case old[i] == now[j]:
			lines = append(lines, "  "+old[i])
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			lines = append(lines, "- "+old[i])
			i++
		default:
			lines = append(lines, "+ "+now[j])
			j++
		}
	}
	return append(append(lines, marked("- ", old[i:])...), marked("+ ", now[j:])...)
}

// common tells for each two ends of two texts how many lines they have in common, in
// their order.
func common(a, b []string) [][]int {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if longest[i][j] = max(longest[i+1][j], longest[i][j+1]); a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	return longest
}

// relevant leaves the lines that are not in both texts, and those around them that say
// what they are part of.
func relevant(lines []string) (kept []string) {
	var around []int // lines that contain the present one, the outermost first
	keep := map[int]bool{}
	for i, line := range lines {
		for len(around) > 0 && depth(lines[around[len(around)-1]]) >= depth(line) {
			around = around[:len(around)-1]
		}
		around = append(around, i)
		if !strings.HasPrefix(line, "  ") {
			for _, k := range around {
				keep[k] = true
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(keep)) {
		kept = append(kept, lines[i])
	}
	return kept
}

// depth is how far a marked line is indented.
func depth(line string) int {
	text := line[len("  "):]
	return len(text) - len(strings.TrimLeft(text, " "))
}
