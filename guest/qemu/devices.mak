# The devices of our QEMU, beyond what these select: a microVM's, and a q35 for memory that is mapped from files (DAX).
# Everything else is left out (--without-default-devices). docs/qemu.md gives the reasons.
CONFIG_MICROVM=y
CONFIG_Q35=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_SCSI=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_RNG=y
CONFIG_VHOST_USER_FS=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_PMEM=y
CONFIG_ISA_DEBUG=y
CONFIG_PCI_DEVICES=n
