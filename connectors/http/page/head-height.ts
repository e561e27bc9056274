/** The height of the sticky header as `--head-height`: the reasons of an unhealthy node make it higher. */
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
