package dns

import "sync"

// shelf keeps the answers used last, up to a number of entries and of bytes. The
// zero shelf keeps nothing until limit is set; it takes memory as it fills.
type shelf struct {
	mu     sync.Mutex
	limit  int // most entries
	size   int // bytes of the entries
	byKey  map[string]*entry
	oldest *entry // ring: oldest.prev is the newest
}

// perEntry bounds the bytes of a shelf: so many for each entry it may have. Most
// answers are far shorter; an answer of 64 KB pushes out many of them.
const perEntry = 512

// overhead is about what an entry takes besides its bytes.
const overhead = 200

func (e *entry) bytes() int { return len(e.wire) + 2*len(e.ttls) + len(e.key) + overhead }

// find returns the answer for a key, nil when there is none that is still good.
func (s *shelf) find(key []byte, now int64, names uint64) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[string(key)]
	if e == nil {
		return nil
	}
	if e.until != 0 && now >= e.until || e.bound && e.names != names {
		s.remove(e)
		return nil
	}
	if e.next != s.oldest { // not the newest already
		s.unlink(e)
		s.link(e)
	}
	return e
}

// keep puts an answer in the place of an older one with the same key.
func (s *shelf) keep(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit <= 0 {
		return
	}
	if s.byKey == nil {
		s.byKey = map[string]*entry{}
	}
	if old := s.byKey[e.key]; old != nil {
		s.remove(old)
	}
	s.byKey[e.key] = e
	s.size += e.bytes()
	s.link(e)
	s.trim()
}

// resize changes the number of entries that are kept.
func (s *shelf) resize(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.trim()
}

func (s *shelf) trim() {
	for s.oldest != nil && (len(s.byKey) > s.limit || s.size > s.limit*perEntry+mostTCP) {
		s.remove(s.oldest)
	}
}

// flush forgets all answers.
func (s *shelf) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey, s.oldest, s.size = nil, nil, 0
}

func (s *shelf) remove(e *entry) {
	delete(s.byKey, e.key)
	s.size -= e.bytes()
	s.unlink(e)
}

func (s *shelf) link(e *entry) {
	if s.oldest == nil {
		s.oldest, e.prev, e.next = e, e, e
		return
	}
	e.prev, e.next = s.oldest.prev, s.oldest
	e.prev.next, e.next.prev = e, e
}

func (s *shelf) unlink(e *entry) {
	if e.next == e {
		s.oldest = nil
	} else if s.oldest == e {
		s.oldest = e.next
	}
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}
