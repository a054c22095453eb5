package lease

import "time"

// queue is a heap of what has a time: the earliest is the first. Each knows its own
// place, -1 when it is in no queue, so that it can be taken out of the middle.
type queue[T interface {
	place() (at time.Time, index *int)
}] []T

func (q queue[T]) Len() int { return len(q) }

func (q queue[T]) Less(i, j int) bool {
	a, _ := q[i].place()
	b, _ := q[j].place()
	return a.Before(b)
}

func (q queue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q.note(i)
	q.note(j)
}

// Push implements heap.Interface.
func (q *queue[T]) Push(x any) {
	*q = append(*q, x.(T))
	q.note(len(*q) - 1)
}

// Pop implements heap.Interface.
func (q *queue[T]) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	clear((*q)[last:])
	*q = (*q)[:last]
	_, index := x.place()
	*index = -1
	return x
}

func (q queue[T]) note(i int) {
	_, index := q[i].place()
	*index = i
}
