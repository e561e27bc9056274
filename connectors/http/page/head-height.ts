/** How high the head is that stays at the top, as `--head-height`: with the reasons of a node in trouble it is higher. */
import { useEffect } from 'preact/hooks';

export function useHeadHeight(): void {
  useEffect(() => {
    const head = document.querySelector('.page-head')!;
    const { style } = document.documentElement;
    const observer = new ResizeObserver(() =>
      style.setProperty('--head-height', `${Math.ceil(head.getBoundingClientRect().height)}px`),
    );
    observer.observe(head);
    return () => observer.disconnect();
  }, []);
}
