package dns

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func (s *shelf) has(key string) bool { return s.find([]byte(key), 1, 0) != nil }

func put(s *shelf, key string) { s.keep(&entry{key: key, wire: make([]byte, 100)}) }

func TestShelfForgetsWhatWasNotUsedForLongest(t *testing.T) {
	t.Parallel()
	s := &shelf{limit: 3}
	for _, key := range []string{"a", "b", "c"} {
		put(s, key)
	}
	s.has("a")
	put(s, "d")
	if s.has("b") || !s.has("a") || !s.has("c") || !s.has("d") {
		t.Error("b was not the one that went")
	}
	s.resize(1)
	if !s.has("d") || s.has("a") {
		t.Error("the newest did not stay")
	}
	s.resize(0)
	put(s, "e")
	if s.has("d") || s.has("e") {
		t.Error("a shelf without room keeps something")
	}
}

func TestShelfForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	s := &shelf{limit: 3}
	s.keep(&entry{key: "a", until: 100})
	s.keep(&entry{key: "b", bound: true, names: 5})
	s.keep(&entry{key: "c", names: 5})
	for _, c := range []struct {
		key   string
		now   int64
		names uint64
		want  bool
	}{
		{"a", 99, 0, true}, {"a", 100, 0, false}, {"a", 99, 0, false},
		{"b", 1, 5, true}, {"b", 1, 6, false}, {"b", 1, 5, false},
		{"c", 1, 6, true},
	} {
		if got := s.find([]byte(c.key), c.now, c.names) != nil; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestShelfBoundsItsBytes(t *testing.T) {
	t.Parallel()
	s := &shelf{limit: 100}
	for i := range 100 {
		s.keep(&entry{key: fmt.Sprint(i), wire: make([]byte, 60000)})
	}
	if s.size > 100*perEntry+mostTCP || !s.has("99") {
		t.Errorf("%d bytes in %d entries", s.size, len(s.byKey))
	}
}

// TestShelfIsAListOfTheNewest compares a shelf with a slice, oldest first.
func TestShelfIsAListOfTheNewest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		s, model := &shelf{limit: limit}, []string{}
		touch := func(key string) {
			for i, k := range model {
				if k == key {
					model = append(append(model[:i:i], model[i+1:]...), key)
					return
				}
			}
			model = append(model, key)
			model = model[max(0, len(model)-limit):]
		}
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "key")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				s.flush()
				model = nil
			case 1, 2, 3, 4:
				put(s, key)
				touch(key)
			default:
				if s.has(key) {
					touch(key)
				}
			}
			check(t, s, model)
		}
	})
}

func check(t *rapid.T, s *shelf, model []string) {
	var got []string
	size := 0
	for e := s.oldest; e != nil; e = e.next {
		got = append(got, e.key)
		size += e.bytes()
		if e.next == s.oldest {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(model) || len(s.byKey) != len(got) || s.size != size {
		t.Fatalf("shelf %v (%d by key, %d bytes), want %v (%d bytes)", got, len(s.byKey), s.size, model, size)
	}
}
