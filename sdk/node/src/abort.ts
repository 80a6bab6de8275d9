/* abort.ts - one listener for each signal, however many runs obey it: node
 * warns of more than ten, and a thousand runs may well share one. */

interface Follower {
  acts: Set<() => void>;
  listener: () => void;
}

const followers = new WeakMap<AbortSignal, Follower>();

function follow(signal: AbortSignal): Follower {
  const acts = new Set<() => void>();
  const listener = () => {
    followers.delete(signal);
    for (const act of acts) act();
  };

  signal.addEventListener('abort', listener, { once: true });
  followers.set(signal, { acts, listener });
  return { acts, listener };
}

/** @internal Answers how to stop listening. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const { acts, listener } = followers.get(signal) ?? follow(signal);

  acts.add(act);
  return () => {
    if (!acts.delete(act) || acts.size) return;
    signal.removeEventListener('abort', listener);
    if (followers.get(signal)?.acts === acts) followers.delete(signal);
  };
}
