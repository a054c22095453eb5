package peers

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestSearchFindsTheHighestRateToATenth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(1, 2000).Draw(t, "from")
		most := rapid.IntRange(from, 100_000).Draw(t, "most")
		limit := rapid.IntRange(0, 120_000).Draw(t, "limit")
		best, tries := 0, 0
		err := search(from, most, func(rate int) (bool, error) {
			tries++
			if rate < 1 || rate > most {
				t.Fatalf("tried %d, the last one is %d", rate, most)
			}
			if rate <= limit {
				best = max(best, rate)
			}
			return rate <= limit, nil
		})
		reachable := min(limit, most)
		if err != nil || best > reachable || float64(best) < float64(reachable)/1.1-2 || tries > 40 {
			t.Fatalf("found %d of %d in %d tries, %v", best, reachable, tries, err)
		}
	})
}

func TestSearchEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tries := 0
	err := search(1, 100, func(int) (bool, error) { tries++; return false, broken })
	if !errors.Is(err, broken) || tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}
