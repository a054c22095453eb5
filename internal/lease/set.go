package lease

import (
	"math"
	"math/bits"
)

// levels is the height of a set: 64 bits in words of 6 bits each.
const levels = 11

// set is a set of 64-bit numbers that finds the next member, or the next number
// that is missing, in a few map lookups, however many numbers lie between. It
// keeps words of 64 bits that are not zero, and above each level one that tells
// in a bit whether a word below can be passed over.
type set struct {
	missing bool // next looks for numbers that are not in the set
	words   [levels]map[uint64]uint64
}

// put makes n a member, or no member. The level above changes only when the word
// of n becomes worth passing over or ceases to be.
func (s *set) put(n uint64, member bool) {
	for l := range s.words {
		key, bit := n>>6, uint64(1)<<(n&63)
		was := s.words[l][key]
		now := was &^ bit
		if member {
			now |= bit
		}
		s.store(l, key, now)
		if s.mark(was) == s.mark(now) {
			return
		}
		n, member = key, s.mark(now)
	}
}

func (s *set) store(level int, key, word uint64) {
	if word == 0 {
		delete(s.words[level], key)
		return
	}
	if s.words[level] == nil {
		s.words[level] = map[uint64]uint64{}
	}
	s.words[level][key] = word
}

// mark is the bit that stands for a word in the level above: set when the word is
// full, if what is missing is sought; set when it is not empty otherwise. Thus
// words that are not stored are right at every level.
func (s *set) mark(word uint64) bool {
	if s.missing {
		return word == math.MaxUint64
	}
	return word != 0
}

// next finds the smallest number from n on that is sought: up until a word has
// one, then down to it.
func (s *set) next(n uint64) (uint64, bool) {
	level := 0
	for {
		if level == levels || level > 0 && n>>(64-6*level) != 0 {
			return 0, false
		}
		if word := s.sought(level, n>>6) & (math.MaxUint64 << (n & 63)); word != 0 {
			n = n&^63 | uint64(bits.TrailingZeros64(word))
			break
		}
		level, n = level+1, n>>6+1
	}
	if level > 0 && n>>(64-6*level) != 0 {
		return 0, false
	}
	for ; level > 0; level-- {
		n = n<<6 | uint64(bits.TrailingZeros64(s.sought(level-1, n)))
	}
	return n, true
}

// sought is a word with a bit set where it is worth looking.
func (s *set) sought(level int, key uint64) uint64 {
	word := s.words[level][key]
	if s.missing {
		return ^word
	}
	return word
}
