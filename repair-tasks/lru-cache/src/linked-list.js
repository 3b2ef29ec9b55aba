/** Doubly linked list of nodes `{ key, value, previous, next }`. The head is the most recent node. */
export class LinkedList {
  head = null;
  tail = null;
  length = 0;

  /** Puts a node at the front. */
  pushFront(node) {
    node.previous = null;
    node.next = this.head;
    if (this.head) this.head.previous = node;
    else this.tail = node;
    this.head = node;
    this.length++;
    return node;
  }

  /** Takes a node out, wherever it is. */
  remove(node) {
    if (node.previous) node.previous.next = node.next;
    else this.head = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.tail = node.previous;
    node.previous = null;
    node.next = null;
    this.length--;
    return node;
  }

  moveToFront(node) {
    if (this.head === node) return node;
    this.remove(node);
    return this.pushFront(node);
  }

  /** Nodes from the most recent to the least recent. */
  *[Symbol.iterator]() {
    for (let node = this.head; node; node = node.next) yield node;
  }
}
