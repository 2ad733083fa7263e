//! What Prometheus expects to know of every process, from /proc. Elsewhere than on Linux there is nothing of it.

use prometheus_client::registry::Registry;

#[cfg(target_os = "linux")]
use prometheus_client::metrics::counter::ConstCounter;
#[cfg(target_os = "linux")]
use prometheus_client::metrics::gauge::ConstGauge;
#[cfg(target_os = "linux")]
use prometheus_client::registry::Unit;

/// As of now. What cannot be read is left out.
#[cfg(target_os = "linux")]
pub(super) fn registry() -> Registry {
    let mut registry = Registry::with_prefix("process");
    let Ok(process) = procfs::process::Process::myself() else { return registry };
    if let Ok(stat) = process.stat() {
        let ticks = procfs::ticks_per_second() as f64;
        let cpu = ConstCounter::new((stat.utime + stat.stime) as f64 / ticks);
        registry.register_with_unit("cpu", "CPU time of all threads, in and outside the kernel", Unit::Seconds, cpu);
        let resident = ConstGauge::new(stat.rss * procfs::page_size());
        registry.register_with_unit("resident_memory", "Memory that it holds", Unit::Bytes, resident);
        let virtual_memory = ConstGauge::new(stat.vsize);
        registry.register_with_unit("virtual_memory", "Addresses that it has reserved", Unit::Bytes, virtual_memory);
        registry.register("threads", "Threads", ConstGauge::new(stat.num_threads));
        if let Ok(boot) = procfs::boot_time_secs() {
            let start = ConstGauge::new(boot as f64 + stat.starttime as f64 / ticks);
            registry.register_with_unit("start_time", "When it was started, since 1970", Unit::Seconds, start);
        }
    }
    if let Ok(open) = process.fd_count() {
        registry.register("open_fds", "Open file descriptors; a bind takes two", ConstGauge::new(open as u64));
    }
    if let Ok(procfs::process::LimitValue::Value(most)) =
        process.limits().map(|limits| limits.max_open_files.soft_limit)
    {
        registry.register("max_fds", "File descriptors that may be open", ConstGauge::new(most));
    }
    registry
}

/// Nothing.
#[cfg(not(target_os = "linux"))]
pub(super) fn registry() -> Registry {
    Registry::default()
}
